"""Critical points: closed and open hyperbolic lattices, flat lattices, glasses, and the literature beside them."""
