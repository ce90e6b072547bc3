"""The same work in e3nn and in repcore, one thread, one process each and nothing in a cache; run with ``--help``.

e3nn knows O(3) alone and has closed forms for much of it, and is compared where both give the same thing:

- the symmetric powers of a sum of irreps, as irreps with the change of basis (``o3.ReducedTensorProducts``; ``rc.decompose``);
- one coupling of three irreps (``o3.wigner_3j``; ``rc.solve``, which proves besides that there is no other);
- a linear layer between copies of irreps, forward and with backward (``o3.Linear`` as it is by default, which is compiled by
  TorchScript; ``rct.Linear``; ``torch.nn.Linear`` of the same size as a yardstick).

Times are CPU seconds: the median over ``--repeats`` fresh processes for the first two, of calls that take turns in one process
for the last. e3nn's couplings have tables up to a degree and are computed above it; its imports are not counted, nor are ours.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]

POWERS = [("1x0e + 1x1o", 3), ("1x0e + 1x1o + 1x2e", 3), ("1x0e + 1x1o + 1x2e + 1x3o", 3), ("1x1o + 1x2e", 4)]
COUPLINGS = [(1, 1, 2), (4, 4, 4), (10, 10, 10), (16, 16, 16)]
LAYERS = [(16, 1024), (64, 1024), (128, 256)]

START = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import torch
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
job = json.loads(sys.argv[1])
"""

E3NN_POWER = """
from e3nn import o3
indices = "ijklmn"[: job["power"]]
formula = "=".join([indices, indices[1] + indices[0] + indices[2:], indices[1:] + indices[0]])
o3.ReducedTensorProducts("ij=ji", i="1x1o")            # what the first call compiles is not counted
begin = time.process_time()
found = o3.ReducedTensorProducts(formula, i=job["irreps"])
took = time.process_time() - begin
print(json.dumps({"seconds": took, "answer": sorted([ir.dim, mul] for mul, ir in found.irreps_out.simplify())}))
"""

OUR_POWER = """
import repcore as rc
x = rc.irreps_from(job["irreps"], rc.O(3))
rc.decompose(rc.O(3).rep.sym(2))
begin = time.process_time()
found = rc.decompose(x.sym(job["power"]))
took = time.process_time() - begin
print(json.dumps({"seconds": took, "answer": sorted([c.irrep.dim, c.multiplicity] for c in found)}))
"""

E3NN_COUPLING = """
from e3nn import o3
o3.wigner_3j(1, 1, 0)
begin = time.process_time()
found = o3.wigner_3j(*job["degrees"])
print(json.dumps({"seconds": time.process_time() - begin, "answer": float(found.norm())}))
"""

OUR_COUPLING = """
import repcore as rc
G = rc.SO(3)
rc.solve(G.rep >> G.rep, store=None)
begin = time.process_time()
a, b, c = (rc.irrep(G, str(l)) for l in job["degrees"])
found = rc.solve(a * b >> c, store=None).to_numpy(orthonormal=True)
print(json.dumps({"seconds": time.process_time() - begin, "answer": float((found**2).sum() ** 0.5)}))
"""

LAYER = """
import repcore as rc, repcore_torch as rct
from e3nn import o3
torch.set_default_dtype(torch.float32)
n, batch = job["copies"], job["batch"]
text = f"{n}x0e + {n}x1o + {n}x2e"
X = rc.irreps_from(text, rc.O(3))
layers = {
    "e3nn": o3.Linear(text, text, biases=False),
    "repcore": rct.Linear(X, X, bias=False),
    "dense": torch.nn.Linear(X.dim, X.dim, bias=False),
}
x = torch.randn(batch, X.dim)

def forward(layer):
    with torch.no_grad():
        layer(x)

def both(layer):
    layer(x).square().sum().backward()

found = {}
for name, call in (("forward", forward), ("backward", both)):
    times = {k: [] for k in layers}
    for turn in range(job["turns"] + 3):
        for k, layer in layers.items():
            begin = time.process_time()
            call(layer)
            if turn >= 3:
                times[k].append(time.process_time() - begin)
    found[name] = {k: sorted(v)[len(v) // 2] for k, v in times.items()}
print(json.dumps(found | {"weights": [sum(p.numel() for p in layer.parameters()) for layer in layers.values()]}))
"""


def run(program: str, job: dict[str, Any], limit: float) -> dict[str, Any]:
    """What a fresh process prints, or why it does not."""
    env = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "REPCORE_CACHE": os.devnull}
    try:
        done = subprocess.run(
            [sys.executable, "-c", START + program, json.dumps(job)],
            capture_output=True,
            text=True,
            env=env,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"not in {limit:.0f} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["ended"])[-1][:60]}
    return json.loads(done.stdout.splitlines()[-1])


def measured(program: str, job: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """The median of fresh processes."""
    answers = [run(program, job, options.limit) for _ in range(options.repeats)]
    failed = [a for a in answers if "failed" in a]
    if failed:
        return failed[0]
    return answers[0] | {"seconds": statistics.median(a["seconds"] for a in answers)}


def pair(name: str, theirs: str, ours: str, job: dict[str, Any], options: argparse.Namespace) -> str:
    """A line of the table: seconds of both, the ratio, and whether they say the same."""
    a, b = (measured(program, job, options) for program in (theirs, ours))
    if "failed" in a or "failed" in b:
        return f"| {name} | {a.get('failed') or short(a['seconds'])} | {b.get('failed') or short(b['seconds'])} | | |"
    # Norms are rounded, dimensions and multiplicities are not.
    same = a["answer"] == b["answer"] if isinstance(a["answer"], list) else abs(a["answer"] - b["answer"]) < 1e-9
    ratio = a["seconds"] / b["seconds"]
    return f"| {name} | {short(a['seconds'])} | {short(b['seconds'])} | {ratio:.2g} | {'yes' if same else 'NO'} |"


def short(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds < 10 else f"{seconds:.0f} s"


def layer_line(copies: int, batch: int, options: argparse.Namespace) -> str:
    found = run(LAYER, {"copies": copies, "batch": batch, "turns": options.turns}, options.limit)
    name = f"{copies} copies of 0e + 1o + 2e, batch {batch}"
    if "failed" in found:
        return f"| {name} | {found['failed']} | | | |"
    cells = [f"{found[way][k] * 1e3:.2f}" for way in ("forward", "backward") for k in ("e3nn", "repcore", "dense")]
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--limit", type=float, default=120, help="seconds for one process")
    parser.add_argument("--repeats", type=int, default=3, help="processes for a line")
    parser.add_argument("--turns", type=int, default=30, help="calls of each layer")
    parser.add_argument("--page", type=Path, help="a file for the tables, to be included by a page")
    options = parser.parse_args()
    lines = ["| the work | e3nn | repcore | e3nn / repcore | same answer |", "| --- | ---: | ---: | ---: | --- |"]
    for irreps, power in POWERS:
        job = {"irreps": irreps, "power": power}
        lines.append(pair(f"Sym^{power} of {irreps.replace('1x', '')}, into irreps", E3NN_POWER, OUR_POWER, job, options))
        print(lines[-1], flush=True)
    for degrees in COUPLINGS:
        name = f"coupling of degrees {', '.join(map(str, degrees))}"
        lines.append(pair(name, E3NN_COUPLING, OUR_COUPLING, {"degrees": degrees}, options))
        print(lines[-1], flush=True)
    lines += ["", "| ms a call | e3nn | repcore | dense | e3nn, both ways | repcore, both ways | dense, both ways |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for copies, batch in LAYERS:
        lines.append(layer_line(copies, batch, options))
        print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    place = options.page or ROOT / "build" / "bench" / "e3nn.txt"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    print(f"written: {place}")


if __name__ == "__main__":
    main()
