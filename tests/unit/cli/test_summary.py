"""The paper's own counts, as `clam summary` prints them."""

import json

import pytest

from clam_core.cli import main


def parameters(capsys: pytest.CaptureFixture[str], *arguments: str) -> int:
    capsys.readouterr()
    assert main(["summary", *arguments, "--json"]) == 0
    count = json.loads(capsys.readouterr().out)["parameters"]
    assert isinstance(count, int)
    return count


def test_counts_are_the_papers(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ("--obs-dim", "39", "--latent-dim", "16")
    assert parameters(capsys, "transformer", *sizes) == 8_874_551  # Appendix G.3
    assert parameters(capsys, "space_time", *sizes) == 12_163_344  # Appendix G.2
    assert parameters(capsys, "bc_mlp", *sizes) == 1_602_567  # Appendix G.1
    assert parameters(capsys, "bc_mlp", "--obs-dim", "39", "--action-dim", "7") == 1_602_567


@pytest.mark.parametrize("preset", ["paper/table12_transformer", "paper/figure10_space_time"])
def test_presets_have_the_papers_sizes(capsys: pytest.CaptureFixture[str], preset: str) -> None:
    model, count = ("transformer", 8_874_551) if "table12" in preset else ("space_time", 12_163_344)
    assert parameters(capsys, model, "--preset", preset) == count


def test_larger_presets_and_overrides_change_the_count(capsys: pytest.CaptureFixture[str]) -> None:
    assert parameters(capsys, "transformer", "--preset", "paper/table13_calvin_transformer") > 30_000_000
    assert parameters(capsys, "mlp", "lam.hidden=[8]", "lam.context=0", "--obs-dim", "3", "--latent-dim", "2") == (
        (6 * 8 + 8) + (8 * 2 + 2) + (5 * 8 + 8) + (8 * 3 + 3)
    )


@pytest.mark.parametrize("model", ["mlp", "impala", "action_token"])
def test_layers_add_up_to_the_total(capsys: pytest.CaptureFixture[str], model: str) -> None:
    assert main(["summary", model]) == 0
    last = capsys.readouterr().out.splitlines()[-1].split()
    assert last[0] == "total" and int(last[1].replace(",", "")) == parameters(capsys, model)


def test_an_image_that_cannot_be_cut_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "space_time", "--image-size", "84"]) == 1
    assert "84" in capsys.readouterr().err
