"""Relators of regular maps of small genus."""

from __future__ import annotations

from typing import NamedTuple


class Tabulated(NamedTuple):
    """A quotient by relators besides x^2, y^p, z^q and xyz: words over x, y, z and their inverses X, Y, Z."""

    name: str
    alias: str
    p: int
    q: int
    order: int
    relators: tuple[str, ...]


# Selected from M. Conder's list of the quotients of triangle groups that act on surfaces of genus 2 to 101, in the
# numbering published with HyperCells: T<genus>.<number>. Of several maps of one size, one with the largest injectivity
# radius; none that a family PSL(2,l) or PGL(2,l) has too, but for those with a name.
TABLE = (
    Tabulated("klein", "T3.1", 3, 7, 168, ("yxzyxzYzYZxz",)),
    Tabulated("macbeath", "T7.1", 3, 7, 504, ("yZxzyZxzzyZZyZZxzz",)),
    Tabulated("T17.1", "", 3, 7, 1344, ("xzyxzyxYZxYZxYZxYZxYZxYZ", "zyxzyZxzYZxYZZxzYZxYZZxz")),
    Tabulated("bolza", "T2.1", 3, 8, 48, ("zyxzYZxz",)),
    Tabulated("T3.2", "", 3, 8, 96, ("zyxzYzYZx",)),
    Tabulated("T5.1", "", 3, 8, 192, ("zzzyZxzYxYZZx",)),
    Tabulated("T10.1", "", 3, 8, 432, ("zyxzzyxzyZxYZZxz",)),
    Tabulated("T16.1", "", 3, 8, 720, ("xzyxzyxzYzYZxYZ", "yxzzyZxzzzyxzYZZxzzz")),
    Tabulated("T17.2", "", 3, 8, 768, ("zzyxzzyxzYZxzYZx",)),
    Tabulated("T22.2", "", 3, 8, 1008, ("xzzyZxzzyxzYZZxzYZ",)),
    Tabulated("T28.1", "", 3, 8, 1296, ("xzzyZZxzyxzyxzzYZZ",)),
    Tabulated("T33.1", "", 3, 8, 1536, ("xzzzyxzyxzyxzzyyZZxYZZ",)),
    Tabulated("T46.2", "", 3, 8, 2160, ("yxzzyxzzyZxzyZxYZZxzz",)),
    Tabulated("bring", "T4.2", 4, 5, 120, ("xzyxYZxYZ",)),
    Tabulated("T5.3", "", 4, 5, 160, ("yZyZyZyZ",)),
    Tabulated("T9.2", "", 4, 5, 320, ("zYzzyxzYzYZx",)),
    Tabulated("T10.7", "", 4, 5, 360, ("ZyZyZyZyZy",)),
    Tabulated("T16.2", "", 4, 5, 600, ("yZyZyZyZyZyZ", "YzzyxzyZyZxYZxz")),
    Tabulated("T19.3", "", 4, 5, 720, ("zyxzyxYZxYZx",)),
    Tabulated("T49.5", "", 4, 5, 1920, ("yxzYzyZyxYzYZyZZyZ", "yxzyxzyxYZxYZxYZxz")),
    Tabulated("T65.4", "", 4, 5, 2560, ("xzyxzyxzyxYZxYZ", "YzYzYzYzYzYzYzYz", "YzzyZyZxzYzYZZyZxz")),
    Tabulated("T91.5", "", 4, 5, 3600, ("xzYzzYzYzyyZZyZxYZyZ",)),
    Tabulated("T97.13", "", 4, 5, 3840, ("yxzyxzyxYZxYZxYZxz", "yxzyZyxzyxYzYZxYzYZZ")),
    Tabulated("T3.4", "", 4, 6, 48, ("yZZyZZ",)),
    Tabulated("T4.3", "", 4, 6, 72, ("zyxYZx",)),
    Tabulated("T5.4", "", 4, 6, 96, ("zyZxYZZx",)),
    Tabulated("T9.3", "", 4, 6, 192, ("zyxzyyZxzY", "zyZyxYZxYz")),
    Tabulated("T10.9", "", 4, 6, 216, ("xzYzYZZyZ",)),
    Tabulated("T11.1", "", 4, 6, 240, ("xzzyZxzYZZ", "xzYzYYZZyZy")),
    Tabulated("T17.5", "", 4, 6, 384, ("xzzYzyyZZxYZ", "zyZZyxYzzYZx")),
    Tabulated("T21.3", "", 4, 6, 480, ("xzzyZxzYZZ",)),
    Tabulated("T28.8", "", 4, 6, 648, ("yZyZyZyZyZyZ", "YzyxzyZyxYZxz")),
    Tabulated("T29.1", "", 4, 6, 672, ("zyxzyxYZxYZx", "zzyZZyxzzYzYZx")),
    Tabulated("T31.3", "", 4, 6, 720, ("zyZyZxYZZyZx",)),
    Tabulated("T33.11", "", 4, 6, 768, ("xzYzyZyZxYzYZy",)),
    Tabulated("T41.3", "", 4, 6, 960, ("zzyZyZyZxzYzY",)),
    Tabulated("T57.3", "", 4, 6, 1344, ("zyxzyxYZxYZx", "YzyxzzyxYzYZZxz")),
    Tabulated("T73.12", "", 4, 6, 1728, ("YzyZxzyxYzzYZxz",)),
    Tabulated("T4.6", "", 5, 5, 60, ("ZyZyZy",)),
    Tabulated("T5.9", "", 5, 5, 80, ("zyxYZx",)),
    Tabulated("T9.14", "", 5, 5, 160, ("xYzYYZZyZ",)),
    Tabulated("T16.6", "", 5, 5, 300, ("xzyxYZxYZ", "xzYzYYZZyZy")),
    Tabulated("T19.14", "", 5, 5, 360, ("yZyZyZyZ",)),
    Tabulated("T49.35", "", 5, 5, 960, ("xzyxYZxYZ", "yZyZyZyZyZyZ")),
    Tabulated("T65.54", "", 5, 5, 1280, ("ZyZyZyZyZy", "zyxzyxYZxYZx", "YzyZyxzYYZZyxz")),
    Tabulated("T91.39", "", 5, 5, 1800, ("zzyyZxzyyxzYYZx",)),
    Tabulated("T9.18", "", 6, 6, 96, ("zyxYZx", "ZyZyZy")),
    Tabulated("T10.15", "", 6, 6, 108, ("xzYYZZy",)),
    Tabulated("T17.25", "", 6, 6, 192, ("ZyZyZy", "yxzzyyxzYZ")),
    Tabulated("T22.9", "", 6, 6, 252, ("zyZxYZxz",)),
    Tabulated("T31.15", "", 6, 6, 360, ("xYzYYZZyZ",)),
    Tabulated("T50.6", "", 6, 6, 588, ("yZxzyyxYzz",)),
    Tabulated("T2.6", "", 8, 8, 8, ("xzy", "yyyZ")),
    Tabulated("T10.22", "", 8, 8, 72, ("zYYYZxY",)),
    Tabulated("T18.5", "", 8, 8, 136, ("ZyxYZZZ",)),
    Tabulated("T33.45", "", 8, 8, 256, ("ZyZyyZyZ",)),
    Tabulated("T35.11", "", 8, 8, 272, ("yZZyyZZy", "zzyxYZZx")),
    Tabulated("T55.39", "", 8, 8, 432, ("ZyxYzYZ", "xzyxYZxYZ")),
)
