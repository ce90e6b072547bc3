"""Two molecules of water: energies and forces that turn with the atoms, from 200 examples, in JAX.

    python examples/points/water.py                   # five ways, seeds 0, 1, 2: about two minutes on one thread
    python examples/points/water.py --out pictures    # also energies as the two are pulled apart

The data are made here: two molecules, a little bent and stretched, in any position, 3 to 4.5 Angstrom apart. Between their atoms
act the forces of the model TIP3P (charges, and Lennard-Jones between the oxygens; Jorgensen et al., 1983). The energy does not
change when all is turned or mirrored, the six forces turn and mirror with the atoms: the symmetry is O(3), and it is exact.

``symmetry.toml`` declares what the layers map. Six places become 16 pairs of vectors a, b; their tensor products, 16 times V*V,
become 48 scalars and 8 deformations (``48x0e + 8x2e``, as e3nn writes it), whose products in turn go into 48 scalars, and these
into the energy. Tensor products are taken entry by entry and commute with O(3) by themselves; tables of Clebsch-Gordan
coefficients are nowhere, since what couples V*V to 0e and 2e is what the solver finds. Scalars go through tanh, deformations are
made shorter. Forces are minus the gradient of the energy, by ``jax.grad``, and are learned together with the energy.

The ways differ in nothing but what is done about the four linear layers:

    dense          nothing
    augmentation   each example turned or mirrored at random at each step
    penalty        loss + weight * ||W - P W||^2 / 2 of each layer, ``rcj.symmetry_of(...).penalty``
    soft           ``rcj.soften``: what is not equivariant is damped, to a mean gain that is the softness
    strict         ``rcj.symmetry_of(...).expand``: the coefficients of equivariant maps are learned

Same examples, steps and optimiser (Adam, cosine). All but ``dense`` begin with ``rcj.init``: equivariant, with a tenth of
something else (strict: without). The step that is kept is the best of 200 examples to choose by; so are rate, weight and
softness, for seed 10, which is not reported (``--tune``).

What is checked, and ends the run if it fails: a strict network has as many parameters as there are equivariant maps, and what
turning the atoms changes in its answers is within rounding: the length of the longest sum, times the unit of float32, times what
relative changes of the weights do to the answers, which is measured.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import repcore as rc
import repcore_jax as rcj

SPEC = rc.load(Path(__file__).resolve().parent / "symmetry.toml")
WAYS = ("dense", "augmentation", "penalty", "soft", "strict")
COUNT, STEPS, BATCH, EVERY = 200, 1000, 50, 50
TERMS = max(space.shape[1] for space in SPEC.maps.values())  # products in the longest sum
CHARGE = np.array([-0.834, 0.417, 0.417] * 2)
AMOUNTS = {"penalty": (0.1, 1.0, 10.0), "soft": (0.03, 0.1, 0.3)}  # to choose from: weights, softnesses
RATES = (3e-3, 1e-2)
# Rate, and weight or softness, chosen with --tune.
CHOSEN = {"dense": (1e-2, 0.0), "augmentation": (3e-3, 0.0), "penalty": (1e-2, 1.0), "soft": (1e-2, 0.03), "strict": (1e-2, 0.0)}
Array = Any


class Data(NamedTuple):
    """Places of the atoms (count, 6, 3) in Angstrom, energies (count,) and forces (count, 6, 3) in kcal/mol and Angstrom."""

    place: np.ndarray
    energy: np.ndarray
    force: np.ndarray


def physics(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energy between two molecules of the model TIP3P, and forces: charges, and Lennard-Jones between the oxygens."""
    energy, force = np.zeros(len(place)), np.zeros_like(place)
    for a in range(3):
        for b in range(3, 6):
            apart = place[:, a] - place[:, b]
            r = np.linalg.norm(apart, axis=1)
            value = 332.0637 * CHARGE[a] * CHARGE[b] / r
            slope = -value / r
            if (a, b) == (0, 3):
                six = (3.1507 / r) ** 6
                value, slope = value + 4 * 0.1521 * (six**2 - six), slope - 24 * 0.1521 * (2 * six**2 - six) / r
            energy += value
            push = -(slope / r)[:, None] * apart
            force[:, a] += push
            force[:, b] -= push
    return energy, force


def rotations(count: int, random: np.random.Generator) -> np.ndarray:
    """Elements of O(3) by the Haar measure, (count, 3, 3)."""
    Q, R = np.linalg.qr(random.normal(size=(count, 3, 3)))
    return Q * np.sign(np.diagonal(R, axis1=1, axis2=2))[:, None, :]


def draw(count: int, random: np.random.Generator) -> Data:
    """Pairs of water molecules in any position, a little bent and stretched, from the middle of all six."""
    half = np.deg2rad(104.52) / 2
    molecule = 0.9572 * np.array([[0, 0, 0], [np.sin(half), 0, np.cos(half)], [-np.sin(half), 0, np.cos(half)]])
    ab = [(molecule + 0.03 * random.normal(size=(count, 3, 3))) @ rotations(count, random) for _ in range(2)]
    away = random.normal(size=(count, 3))
    away *= random.uniform(3.0, 4.5, size=(count, 1)) / np.linalg.norm(away, axis=1, keepdims=True)
    place = np.concatenate([ab[0], ab[1] + away[:, None]], 1)
    place -= place.mean(1, keepdims=True)
    return Data(place, *physics(place))


def start(way: str, key: Array) -> dict[str, dict[str, Array]]:
    """Parameters: kernels (in, out) and biases."""
    params = {}
    for (name, space), draw_key in zip(SPEC.maps.items(), jax.random.split(key, len(SPEC.maps)), strict=True):
        if way == "dense":
            kernel = jax.random.normal(draw_key, space.shape[::-1]) / space.shape[1] ** 0.5
        else:
            kernel = rcj.init(draw_key, space, 0.0 if way == "strict" else 0.1, gain=1.0).T
        params[name] = {"kernel": kernel, "bias": jnp.zeros(space.shape[0])}
    return params


def network(params: Any, place: Array) -> Array:
    """The energy of places (6, 3), in units of its spread."""

    def layer(name: str, x: Array) -> Array:
        return x @ params[name]["kernel"] + params[name]["bias"]

    def products(x: Array) -> Array:
        return jnp.einsum("ci,cj->cij", *x).ravel()

    h = layer("second", products(layer("first", place.ravel()).reshape(2, 16, 3)))
    scalars, deformations = jnp.tanh(h[:48]), h[48:].reshape(2, 4, 5)
    short = deformations / jnp.sqrt(1 + jnp.square(deformations).mean(-1, keepdims=True))  # of any length to one below sqrt(5)
    return layer("last", jnp.tanh(layer("third", jnp.concatenate([scalars, products(short)]))))[0]


class Result(NamedTuple):
    """Loss on the examples to choose by; errors, and changes under O(3), of energies and forces; the energy as a function.

    Errors are root mean squares in kcal/mol and kcal/mol/Angstrom, changes are relative to the size of energies and of forces.
    """

    validation: float
    errors: tuple[float, float]
    changes: tuple[float, float]
    allowed: tuple[float, float]
    count: int
    seconds: float
    energy: Callable[[np.ndarray], np.ndarray]


def run(way: str, seed: int, steps: int, setting: tuple[float, float] | None = None) -> Result:
    """One way, one seed; the setting is the rate, and the weight of the penalty or the softness."""
    rate, amount = setting or CHOSEN[way]
    random = np.random.default_rng(seed)
    train, chosen, test = (draw(count, random) for count in (COUNT, 200, 1000))
    mean, unit = train.energy.mean(), train.energy.std()
    parts = [[jnp.asarray(a, jnp.float32) for a in (d.place, (d.energy - mean) / unit, d.force / unit)] for d in (train, chosen)]
    pull = float(jnp.square(parts[0][2]).mean())
    params = jax.jit(partial(start, way))(jax.random.key(seed))  # one program, instead of one for each operation
    symmetry = rcj.symmetry_of(params, SPEC)
    soft = rcj.soften(symmetry, softness=amount) if way == "soft" else None
    weights: Callable[[Any], Any] = symmetry.expand if way == "strict" else soft or (lambda p: p)
    learned = jax.jit(symmetry.coefficients)(params) if way == "strict" else params
    both = jax.vmap(jax.value_and_grad(network, argnums=1), (None, 0))

    def loss(p: Any, x: Array, e: Array, f: Array) -> Array:
        found, slope = both(p, x)
        return ((found - e) ** 2).mean() + ((slope + f) ** 2).mean() / pull  # forces are minus the gradient

    def objective(p: Any, x: Array, e: Array, f: Array) -> Array:
        p = weights(p)
        return loss(p, x, e, f) + (amount * symmetry.penalty(p, "fro2") if way == "penalty" else 0.0)

    tx = optax.adam(optax.cosine_decay_schedule(rate, steps))

    def step(carry: Any, key: Any) -> Any:
        p, state = carry
        key, turn = jax.random.split(key)
        x, e, f = (a[jax.random.randint(key, (BATCH,), 0, COUNT)] for a in parts[0])
        if way == "augmentation":
            R = jax.random.orthogonal(turn, 3, (BATCH,))
            x, f = x @ R, f @ R
        updates, state = tx.update(jax.grad(objective)(p, x, e, f), state, p)
        return (optax.apply_updates(p, updates), state), None

    @jax.jit
    def some(carry: Any, keys: Any) -> Any:
        carry, _ = jax.lax.scan(step, carry, keys)
        return carry, loss(weights(carry[0]), *parts[1])

    carry, best, kept, begin = (learned, tx.init(learned)), float("inf"), learned, time.process_time()
    for keys in jax.random.split(jax.random.key(seed), (steps // EVERY, EVERY)):
        carry, error = some(carry, keys)
        if error < best:
            best, kept = float(error), carry[0]
    seconds, final = time.process_time() - begin, jax.jit(weights)(kept)
    apply = jax.jit(both)

    def physical(p: Any, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found, slope = (np.asarray(a, float) for a in apply(p, jnp.asarray(place, jnp.float32)))
        return found * unit + mean, -slope * unit

    found = physical(final, test.place)
    R = rotations(len(test.place), random)
    turned = physical(final, test.place @ R)
    # How far rounding can go: sums of up to TERMS products, and what relative changes of the weights do to the answers.
    shaken = jax.tree.map(lambda w: np.asarray(w) * (1 + 1e-3 * random.choice([-1.0, 1.0], w.shape)).astype(np.float32), final)
    moved = physical(shaken, test.place)
    unit_roundoff = float(jnp.finfo(jnp.float32).eps)
    return Result(
        best,
        tuple(rms(a - b) for a, b in zip(found, test[1:], strict=True)),
        tuple(rms(a - b) / rms(c) for a, b, c in zip(turned, (found[0], found[1] @ R), found, strict=True)),
        tuple(TERMS * unit_roundoff * rms(a - b) / rms(b) / 1e-3 for a, b in zip(moved, found, strict=True)),
        sum(a.size for a in jax.tree.leaves(learned)),
        seconds,
        lambda place: physical(final, place)[0],
    )


def rms(x: np.ndarray) -> float:
    """The root mean square."""
    return float(np.sqrt(np.mean(x**2)))


def check(result: Result) -> None:
    """A strict network has no more parameters than maps, and its answers turn with the atoms, to rounding."""
    maps = sum(rc.solve(hom).dim for space in SPEC.maps.values() for hom in (space, rc.trivial(SPEC.group) >> space.codomain))
    if result.count != maps:
        raise SystemExit(f"water: {result.count} parameters, and {maps} equivariant maps")
    for what, change, allowed in zip(("energies", "forces"), result.changes, result.allowed, strict=True):
        if not change <= allowed:
            raise SystemExit(f"water: {what} change by {change:.1e} when the atoms are turned; rounding explains {allowed:.1e}")


def tune(steps: int) -> None:
    """Print the loss of seed 10 on the examples to choose by, for rates and amounts."""
    for way in WAYS:
        choices = [(rate, amount) for rate in RATES for amount in AMOUNTS.get(way, (0.0,))]
        losses = {setting: run(way, 10, steps, setting).validation for setting in choices}
        best = min(losses, key=lambda setting: losses[setting])
        print(f"{way}: best {best} of", "  ".join(f"{s}: {loss:.3f}" for s, loss in losses.items()), flush=True)


def pulled(random: np.random.Generator, count: int = 7) -> Data:
    """One molecule is pulled away from the other, and the two are turned at random at each step."""
    near = draw(1, random).place[0]
    apart = near[3] - near[0]
    place = np.repeat(near[None], count, 0)
    length = np.linspace(3.0, 4.5, count)[:, None] / np.linalg.norm(apart)
    place[:, 3:] += ((length - 1) * apart)[:, None]
    place = (place - place.mean(1, keepdims=True)) @ rotations(count, random)
    return Data(place, *physics(place))


def draw_scan(rows: dict[str, np.ndarray], path: Path) -> None:
    """The energies of :func:`pulled`, one line for each network."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    ax = figure.subplots()
    for name, values in rows.items():
        ax.plot(np.linspace(3.0, 4.5, len(values)), values, "k-" if name == "truth" else "o--", label=name)
    ax.set_xlabel("distance of the oxygens, in Angstrom; turned at random at each point")
    ax.set_ylabel("energy, in kcal/mol")
    ax.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description="Energies and forces of two water molecules; see the top of this file.")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS, help=f"a multiple of {EVERY}")
    parser.add_argument("--out", type=Path, help="a folder for water.png")
    parser.add_argument("--tune", action="store_true", help="print what rates, weights and softnesses were chosen by")
    given = parser.parse_args(arguments)
    if given.steps < 1 or given.steps % EVERY:
        parser.error(f"--steps takes multiples of {EVERY}")
    if given.tune:
        tune(given.steps)
        return
    print(
        f"seeds {', '.join(map(str, given.seeds))}: errors of energies in kcal/mol, of forces in kcal/mol/A; medians of changes"
    )
    print(f"{'':14}{'energy':20}{'force':20}{'when turned, energy':>20}{'force':>10}{'parameters':>12}{'CPU s':>7}")
    scan = pulled(np.random.default_rng(100))
    rows = {"truth": scan.energy}
    for way in given.ways:
        results = [run(way, seed, given.steps) for seed in given.seeds]
        errors = ("  ".join(f"{r.errors[k]:.2f}" for r in results) for k in range(2))
        changes = (float(np.median([r.changes[k] for r in results])) for k in range(2))
        print(
            f"{way:14}"
            + "".join(f"{e:20}" for e in errors)
            + "".join(f"{c:{w}.1e}" for c, w in zip(changes, (20, 10), strict=True))
            + f"{results[0].count:12,}{np.median([r.seconds for r in results]):7.1f}",
            flush=True,
        )
        rows[way] = results[0].energy(scan.place)
        if way == "strict":
            for result in results:
                check(result)
    print("\none molecule pulled away from the other, both turned at random at each step: energies in kcal/mol")
    for name, values in rows.items():
        print(f"  {name:12}" + "".join(f"{value:7.2f}" for value in values))
    if given.out is not None:
        draw_scan(rows, given.out / "water.png")
        print("wrote", given.out / "water.png")


if __name__ == "__main__":
    main()
