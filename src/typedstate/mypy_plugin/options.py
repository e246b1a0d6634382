"""The plugin's options, from the file that configures mypy."""

from __future__ import annotations

import configparser
import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple

_SECTION: Final = "typedstate-mypy"


class PluginOptions(NamedTuple):
    """The options of the plugin.

    Attributes:
      report_unguarded_optional: whether to report reads of an optional field as an attribute
        without a check of its presence before.
      infer_module_states: whether ``nnx.state(module)`` gets its keys from the attributes of the
        module's class.
    """

    report_unguarded_optional: bool = False
    infer_module_states: bool = True

    def as_json(self) -> dict[str, Any]:
        """The options as data that mypy's cache depends on."""
        return self._asdict()


def read_options(config_file: str | None) -> PluginOptions:
    """The options in a configuration file; the defaults if it has none or can't be read."""
    if not config_file:
        return PluginOptions()
    path = Path(config_file)
    try:
        found = _of_toml(path) if path.suffix == ".toml" else _of_ini(path)
    except (OSError, ValueError, configparser.Error):
        return PluginOptions()
    known = PluginOptions._fields
    return PluginOptions(**{key: value for key, value in found.items() if key in known})


def _of_toml(path: Path) -> dict[str, bool]:
    tools: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    section: dict[str, Any] = tools.get(_SECTION, {})
    return {key: bool(value) for key, value in section.items()}


def _of_ini(path: Path) -> dict[str, bool]:
    parser = configparser.ConfigParser()
    parser.read_string(path.read_text(encoding="utf-8"))
    if not parser.has_section(_SECTION):
        return {}
    return {key: parser.getboolean(_SECTION, key) for key in parser[_SECTION]}
