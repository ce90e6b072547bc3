"""The page on Lightning and the Trainer of transformers is executed where both are installed, and its runs can be resumed."""

from __future__ import annotations

import contextlib
import io
import re
import types
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
lightning = pytest.importorskip("lightning")
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "trainers.md"
CELL = re.compile(r"^```\{code-cell\} python3\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = [
    pytest.mark.slow,
    # Lightning 2.6 asks torch for what torch 2.13 deprecates; the loaders here have few rows, and no workers.
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> types.SimpleNamespace:
    """What its cells define; and, beside it, what they printed and what they left in the working directory."""
    folder = tmp_path_factory.mktemp("page")
    names: dict[str, Any] = {"__name__": "page"}
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        for code in CELL.findall(PAGE.read_text(encoding="utf-8")):
            exec(compile(code, PAGE.name, "exec"), names)  # noqa: S102 (our own page)
    return types.SimpleNamespace(**names, printed=out.getvalue(), noise=err.getvalue(), left=list(folder.iterdir()))


def test_the_page_takes_its_steps_and_leaves_nothing_behind(page: types.SimpleNamespace) -> None:
    assert page.module.ace.step_count == page.trainer.global_step == 10
    assert page.ace.step_count == page.hugging.state.global_step == 10
    assert "['ace.pt', 'optimizer.pt', 'scheduler.pt']" in page.printed
    assert len(page.printed.splitlines()) == 4
    assert page.noise == ""
    assert page.left == []
    # Another gamma than the first: it has been decided about. Strict: to the rounding of two layers in float32.
    first = page.rct.ACE(page.network(), page.rules).gamma
    assert all(abs(ace.gamma[name] - first[name]) > 1e-3 for ace in (page.module.ace, page.ace) for name in first)
    largest = page.strict(page.x).abs().max()
    assert (page.strict(page.x @ page.turn.T) - page.strict(page.x) @ page.turn.T).abs().max() < 100 * 2**-23 * largest


def test_lightning_resumes_on_the_same_trajectory(page: types.SimpleNamespace, tmp_path: Path) -> None:
    """One batch an epoch, for Lightning does not know where in an epoch a plain loader stood."""

    def run(steps: int, resume: Path | None = None, **options: Any) -> tuple[Any, Any]:
        torch.manual_seed(1)
        module = page.Regression()
        silent = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
        options = {"callbacks": [page.Decide()], "accelerator": "cpu", **silent, **options}
        trainer = lightning.Trainer(max_steps=steps, **options)
        rows = torch.utils.data.TensorDataset(page.x[:448], page.y[:448])
        size = 448 if "accumulate_grad_batches" not in options else 64
        trainer.fit(module, torch.utils.data.DataLoader(rows, batch_size=size), ckpt_path=resume)
        return module, trainer

    whole, _ = run(9)
    _, trainer = run(5)  # gamma moves at every second step: what the controller remembers counts
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    resumed, _ = run(9, tmp_path / "half.ckpt")
    assert resumed.ace.step_count == 9
    assert same(whole, resumed)
    accumulated, trainer = run(4, accumulate_grad_batches=3)
    assert accumulated.ace.step_count == trainer.global_step == 4


def test_the_trainer_resumes_on_the_same_trajectory(page: types.SimpleNamespace, tmp_path: Path) -> None:
    def run(folder: str, resume: Path | None = None) -> Any:
        torch.manual_seed(1)
        model = page.WithLoss(page.network())
        ace = page.rct.ACE(model.net, page.rules, every=2)
        if resume is not None:
            ace.load_state_dict(torch.load(resume / "ace.pt"))
        arguments = transformers.TrainingArguments(
            str(tmp_path / folder),
            max_steps=9,
            per_device_train_batch_size=64,
            save_steps=5,
            report_to=[],
            logging_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
        )
        trainer = transformers.Trainer(model, arguments, train_dataset=page.rows, callbacks=[page.Settle(ace)])
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
        return types.SimpleNamespace(ace=ace, state_dict=model.state_dict)

    whole = run("whole")
    resumed = run("resumed", tmp_path / "whole" / "checkpoint-5")
    assert resumed.ace.step_count == 9
    assert same(whole, resumed)


def same(one: Any, other: Any) -> bool:
    """All weights and gammas, and all that the controllers remember."""
    states = [run.ace.state_dict()["controller"] for run in (one, other)]
    return all(torch.equal(a, b) for a, b in zip(*(state.values() for state in states), strict=True)) and all(
        torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )
