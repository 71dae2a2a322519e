"""The recipe names the kernel: what changes the kernel changes the hash, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from testbed.engine.kernel.recipe import Recipe, load_recipe, untaken_options

PATCH = "Why: because.\n\n--- a/kernel/panic.c\n+++ b/kernel/panic.c\n@@ -1 +1 @@\n-a\n+b\n"
RECIPE = Recipe(config="# why\nCONFIG_NET=y\nCONFIG_INET=y\n", patches=(("one.patch", PATCH),))
SOURCE = "linux-source-6.12 6.12.117-1 1000"


@pytest.mark.parametrize(
    "changed",
    [
        replace(RECIPE, config=RECIPE.config + "CONFIG_VETH=y\n"),
        replace(RECIPE, config=RECIPE.config.replace("CONFIG_INET=y", "CONFIG_INET=n")),
        replace(RECIPE, patches=(("one.patch", PATCH.replace("+b\n", "+c\n")),)),
        replace(RECIPE, patches=(*RECIPE.patches, ("two.patch", PATCH))),
        replace(RECIPE, patches=()),
    ],
    ids=["option added", "option changed", "patch changed", "patch added", "patch removed"],
)
def test_hash_follows_options_and_patches(changed: Recipe) -> None:
    assert changed.hash_with(SOURCE) != RECIPE.hash_with(SOURCE)


def test_hash_follows_the_source() -> None:
    assert RECIPE.hash_with(SOURCE) != RECIPE.hash_with(SOURCE.replace("117", "118"))


@pytest.mark.parametrize(
    "reworded",
    [
        replace(RECIPE, config="# another reason\n\nCONFIG_INET=y\nCONFIG_NET=y\n"),
        replace(RECIPE, patches=(("renamed.patch", PATCH.replace("because", "for another reason")),)),
    ],
    ids=["configuration", "patch"],
)
def test_hash_ignores_comments_and_order(reworded: Recipe) -> None:
    assert reworded.hash_with(SOURCE) == RECIPE.hash_with(SOURCE)


def test_options_are_read_with_their_values() -> None:
    assert Recipe(config='# CONFIG_A=y\nCONFIG_B=y\nCONFIG_C="-x"\n', patches=()).options == {
        "CONFIG_B": "y",
        "CONFIG_C": '"-x"',
    }


@pytest.mark.parametrize(
    ("dot_config", "untaken"),
    [
        ("CONFIG_NET=y\nCONFIG_INET=y\nCONFIG_MORE=y\n", []),
        ("CONFIG_NET=y\n# CONFIG_INET is not set\n", ["CONFIG_INET=y"]),
        ("CONFIG_NET=m\nCONFIG_INET=y\n", ["CONFIG_NET=y"]),
        ("", ["CONFIG_NET=y", "CONFIG_INET=y"]),
    ],
)
def test_options_that_did_not_take_are_named(dot_config: str, untaken: list[str]) -> None:
    assert untaken_options(RECIPE.options, dot_config) == untaken


def test_every_option_of_the_configuration_is_asked_for_once() -> None:
    lines = [line for line in load_recipe().config.splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(load_recipe().options)


def test_every_patch_states_its_licence_and_its_purpose() -> None:
    for name, text in load_recipe().patches:
        header = text.partition("--- a/")[0]
        assert "SPDX-License-Identifier: GPL-2.0" in header, name
        assert "Why:" in header, name


def test_the_seed_patch_warns_against_real_use() -> None:
    assert "for emulation only" in dict(load_recipe().patches)["seed.patch"]
