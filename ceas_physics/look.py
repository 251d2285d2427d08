"""How pages look: one style for light, dark, paper and phones, figures as SVG inside the page, tables that sort."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable
from html import escape

import matplotlib as mpl
from matplotlib.figure import Figure

SYMBOLS = {
    r"beta_c": "\u03b2<sub>c</sub>",
    r"\bbeta\b": "\u03b2",
    r"(?<!\w)dbeta\b": "d\u03b2",
    r"\+-": "\u00b1",
    r"1/sqrt\(d_k\)": "1/\u221ad<sub>k</sub>",
    r"sqrt\(2 ln n\)": "\u221a(2 ln n)",
    r"\bnu\b": "\u03bd",
    r"\bsigma\b": "\u03c3",
    r"\bzeta\b": "\u03b6",
    r"\bchi2\b": "\u03c7\u00b2",
    r"\^\(([^)]+)\)|\^(\d)": r"<sup>\1\2</sup>",
}


def symbols(text: str) -> str:
    """HTML of a sentence written in plain letters."""
    text = escape(text)
    for pattern, symbol in SYMBOLS.items():
        text = re.sub(pattern, symbol, text)
    return text


def document(title: str, body: str) -> str:
    """A page that needs no other file; a heading of a ``sort`` table sorts it, a link opens what hides its target."""
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="generator" content="ceas-physics">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>
<link rel="icon" href="data:,"><style>{STYLE}</style></head><body>
{body}
<script>{SCRIPT}</script></body></html>
"""


def svg(figure: Figure) -> bytes:
    """A figure as a transparent SVG, the same for the same figure; on dark pages the style turns its lights.

    Numbers from 1 on keep two of matplotlib's six decimals, a hundredth of a point.
    """
    stream = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "ceas-physics"}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = re.sub(r"([1-9]\d*\.\d\d)\d+", r"\1", stream.getvalue())
    return text.encode()


def png(figure: Figure) -> bytes:
    """A figure as a transparent PNG, for pictures of many cells."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=150, transparent=True)
    return stream.getvalue()


def address(picture: bytes) -> str:
    """A picture as an address that holds it."""
    kind = "png" if picture.startswith(b"\x89PNG") else "svg+xml"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def table(kind: str, header: Iterable[str], rows: Iterable[str]) -> str:
    """A table that sorts, with an id of its kind; rows are HTML."""
    head = "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{symbols(name)}</button></th>' for name in header
    )
    body = "".join(rows)
    return (
        f'<div class="wide"><table class="sort {kind}" id="{kind}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


STYLE = """
:root{color-scheme:light dark;--ink:#1c2128;--soft:#57606a;--paper:#fff;--card:#f5f7f9;--line:#d8dee4;--accent:#2a6f97;
--yes:#18723a;--no:#b3261e;--wrong:#7b2fa0;--open:#7a5c00}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e4e6e9;--soft:#9aa4ae;--paper:#141414;--card:#1d1f22;
--line:#34383d;--accent:#7db9dd;--yes:#6fd08c;--no:#ff8a80;--wrong:#d49bf0;--open:#e0c060}
img.drawn{filter:invert(.92) hue-rotate(180deg) saturate(1.35) brightness(1.12)}}
*{box-sizing:border-box}
body{font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:68rem;margin:0 auto;
padding:1.5rem 1rem 4rem}
h1{font-size:clamp(1.55rem,4.2vw,2.5rem);line-height:1.15;letter-spacing:-.015em;margin:.3rem 0 1.2rem;max-width:24em;
text-wrap:balance}
h2{font-size:1.45rem;line-height:1.25;margin:3.2rem 0 .6rem;padding-top:1rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:.8rem 0 .3rem}p,ul,li{max-width:46rem}a{color:var(--accent)}
.brow{color:var(--soft);font-size:.85rem;letter-spacing:.06em;text-transform:uppercase;margin:0}
.answer{border-left:4px solid var(--accent);padding-left:1rem;margin:1.2rem 0}
.answer p{margin:.5rem 0;font-size:1.05rem}.answer p:first-child{font-size:1.3rem;line-height:1.4;font-weight:600}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,10rem),1fr));gap:.8rem;margin:1.6rem 0}
.facts div{background:var(--card);border-radius:8px;padding:.7rem .9rem}
.facts b{display:block;font-size:1.25rem;line-height:1.3;font-variant-numeric:tabular-nums}
.facts span{color:var(--soft);font-size:.85rem;line-height:1.35;display:block}
nav{font-size:.92rem;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:1.2rem 0}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,21rem),1fr));gap:1.2rem 2rem;
align-items:start}
.grid.three{grid-template-columns:repeat(auto-fit,minmax(min(100%,17rem),1fr))}
.grid+.grid{margin-top:1.6rem}figure{margin:1.2rem 0;min-width:0}.grid figure{margin:0}figure.large{max-width:58rem}
img{display:block;width:100%;height:auto}
figcaption{font-size:.88rem;line-height:1.45;color:var(--soft);margin-top:.4rem;max-width:52rem}
figcaption b{color:var(--ink)}
pre{font:.74rem/1.5 ui-monospace,monospace;background:var(--card);border-radius:6px;padding:.5rem .7rem;
margin:.5rem 0 0;overflow-x:auto}
code{font-family:ui-monospace,monospace;font-size:.92em;overflow-wrap:anywhere}
details{margin:.5rem 0}summary{cursor:pointer;color:var(--accent);font-size:.88rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.84rem;font-variant-numeric:tabular-nums}
th,td{padding:.28rem .6rem;text-align:left;border-bottom:1px solid var(--line);white-space:nowrap;vertical-align:top}
thead th{border-bottom:2px solid var(--line)}.faded{opacity:.55}
th button{font:inherit;font-weight:600;background:none;border:0;padding:0;color:inherit;cursor:pointer;text-align:left}
th button:hover{color:var(--accent)}th button::after{content:" \\2195";opacity:.35}
th[aria-sort=ascending] button::after{content:" \\2191";opacity:1}
th[aria-sort=descending] button::after{content:" \\2193";opacity:1}
.yes{color:var(--yes)}.no{color:var(--no)}.wrong{color:var(--wrong)}.open{color:var(--open)}
a.yes,a.no,a.wrong,a.open{font-weight:600}
.bar{display:flex;height:.7rem;border-radius:4px;overflow:hidden;max-width:46rem;margin:.6rem 0}
.bar i{display:block}i.yes{background:var(--yes)}i.no{background:var(--no)}i.wrong{background:var(--wrong)}
i.open{background:var(--open)}
td.why{white-space:normal;min-width:22rem}td.row{padding-left:1.4rem;white-space:normal}td.claim{font-weight:600}
section{border-top:1px solid var(--line);padding-top:.3rem;margin-top:.6rem}
section:target{outline:2px solid var(--accent);outline-offset:.4rem;border-radius:4px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .9rem;font-size:.88rem;margin:.4rem 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere;min-width:0}img.small{max-width:36rem}
@media (max-width:760px){#ledger,#ledger tbody,#ledger tr,#ledger td{display:block;border:0;white-space:normal}
#ledger thead tr{display:flex;flex-wrap:wrap}#ledger th{border:0}
#ledger tr{border-bottom:1px solid var(--line);padding:.4rem 0}
#ledger td{padding:.1rem .55rem;min-width:0}#ledger td.row{padding-left:.55rem}
#ledger td[data-label]::before{content:attr(data-label) ": ";color:var(--soft)}
dl{grid-template-columns:1fr}dt{margin-top:.3rem}}
@media print{body{max-width:none;padding:0;font-size:10pt}nav,th button::after{display:none}
.wide{overflow:visible}table{font-size:7.5pt}th,td{white-space:normal;padding:.15rem .3rem}td.why{min-width:0}
pre{white-space:pre-wrap}figure,section,tr,.facts div{break-inside:avoid}h2,h3{break-after:avoid}
figure.large{max-width:15cm}a{color:inherit;text-decoration:none}}
"""

SCRIPT = """
for(const table of document.querySelectorAll("table.sort")){
 const heads=[...table.tHead.rows[0].cells];
 heads.forEach((head,k)=>head.firstChild.addEventListener("click",()=>{
  const up=head.getAttribute("aria-sort")!=="ascending";
  heads.forEach(other=>other.setAttribute("aria-sort","none"));
  head.setAttribute("aria-sort",up?"ascending":"descending");
  const key=row=>{const cell=row.cells[k],v=cell.dataset.value;return v===undefined?cell.textContent:v===""?null:+v};
  const rows=[...table.tBodies[0].rows].sort((a,b)=>{const x=key(a),y=key(b);
   if(x===null||y===null)return (x===null)-(y===null);
   const order=typeof x==="number"?x-y:x.localeCompare(y,"en",{numeric:true});return up?order:-order});
  table.tBodies[0].append(...rows)}))}
const show=()=>{const found=document.getElementById(location.hash.slice(1));
 for(let place=found;place;place=place.parentElement)if(place.tagName==="DETAILS")place.open=true;
 found?.scrollIntoView()};
addEventListener("hashchange",show);show();
addEventListener("beforeprint",()=>document.querySelectorAll("details").forEach(part=>part.open=true));
"""
