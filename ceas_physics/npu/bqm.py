"""Binary quadratic models of dimod as Ising models, and back."""

from __future__ import annotations

from typing import Any

import dimod
import numpy as np

import ising
from ising import IsingModel
from ising.arguments import as_number


def from_bqm(bqm: dimod.BinaryQuadraticModel) -> tuple[IsingModel, list[Any]]:
    """The model of a binary quadratic model and its variables in the order of the sites.

    dimod writes E = sum h s + sum J s s + offset, so that J and h change sign; the energy of dimod is that of the model
    plus ``attrs["offset"]``. Variables in {0, 1} are x = (1 + s) / 2.

    Raises
    ------
    ValueError
        No variables, or numbers that are not finite.
    """
    if not bqm.num_variables:
        raise ValueError("the binary quadratic model has no variables")
    variables = list(bqm.variables)
    spin = bqm if bqm.vartype is dimod.SPIN else bqm.change_vartype(dimod.SPIN, inplace=False)
    vectors = spin.to_numpy_vectors(variable_order=variables)
    bonds = np.stack([vectors.quadratic.row_indices, vectors.quadratic.col_indices], axis=-1)
    lattice = ising.from_bonds(len(variables), bonds.astype(np.int64), name="bqm")
    couplings, fields = -np.asarray(vectors.quadratic.biases, float), -np.asarray(vectors.linear_biases, float)
    offset = as_number("the offset of the model", float(vectors.offset))
    return IsingModel(lattice, couplings, fields, "bqm", {"offset": offset}), variables


def to_bqm(model: IsingModel) -> dimod.BinaryQuadraticModel:
    """The spin model of dimod with the energies of an `IsingModel`; variables are the site numbers."""
    couplings = np.broadcast_to(np.asarray(model.couplings), model.lattice.n_bonds)
    fields = np.broadcast_to(np.asarray(model.fields), model.lattice.n_sites)
    bqm = dimod.BinaryQuadraticModel(dimod.SPIN)
    bqm.add_linear_from((site, -float(h)) for site, h in enumerate(fields))
    bqm.add_quadratic_from((int(a), int(b), -float(J)) for (a, b), J in zip(model.lattice.bonds, couplings))
    return bqm
