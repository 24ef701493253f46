"""The only registry: a name in a config file leads to one module, and that module registers one plug-in.

`Registry("anonymizer", "anonbench.anonymizers")` finds `gaussian_blur` in `anonbench/anonymizers/gaussian_blur.py`
and imports only that module, so that asking for a blur does not load the neural networks. Modules whose name starts
with an underscore are helpers. Plug-ins from outside the repository register themselves when their module is
imported (`plugins: [my_package.my_blur]` in the config).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from anonbench.core.errors import ConfigError, nearest
from anonbench.core.fields import build

T = TypeVar("T", bound=Callable[..., Any])


class Registry:
    """Names to plug-ins of one kind. Duplicates raise `ConfigError`. An unknown name lists the known ones."""

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._entries: dict[str, Callable[..., Any]] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that enters a class or function under `name`."""

        def enter(plugin: T) -> T:
            known = self._entries.get(name)
            if known is not None and _origin(known) != _origin(plugin):
                raise ConfigError(
                    f"{self.kind} '{name}' is registered twice: as {_origin(known)} and as {_origin(plugin)}. "
                    f"Rename one of them."
                )
            self._entries[name] = plugin
            return plugin

        return enter

    def names(self) -> list[str]:
        """Every known name, sorted; imports nothing."""
        package = importlib.import_module(self.package)
        modules = {m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")}
        return sorted(modules | set(self._entries))

    def get(self, name: str) -> Callable[..., Any]:
        """The plug-in called `name`. Raises `ConfigError` when there is none."""
        if not isinstance(name, str) or name not in self._entries:
            if name not in self.names():
                raise ConfigError(f"unknown {self.kind} '{name}': {nearest(name, self.names())}")
            importlib.import_module(f"{self.package}.{name}")
        return self._entries[name]

    def create(self, spec: Mapping[str, Any], ignore: Iterable[str] = ()) -> Any:
        """Build the plug-in that a config entry describes: `{"method": name, **parameters}`.

        ignore: keys of the entry that are not parameters of the plug-in. Lists become tuples.
        Raises `ConfigError` for an unknown method or parameter, or a value the plug-in refuses.
        """
        if "method" not in spec:
            raise ConfigError(f"{self.kind}: the key 'method' is missing. Known: {', '.join(self.names())}")
        plugin = self.get(spec["method"])
        entry_keys = set(ignore)
        parameters = {k: v for k, v in spec.items() if k != "method" and k not in entry_keys}
        return build(plugin, parameters, f"{self.kind} '{spec['method']}'", "parameter", sorted(entry_keys))


def _origin(plugin: Callable[..., Any]) -> str:
    """Where a plug-in is defined; the same when its module is loaded again."""
    return f"{plugin.__module__}.{getattr(plugin, '__qualname__', '')}"


def load_plugins(modules: Iterable[str]) -> None:
    """Import the modules named under `plugins:` in the config, so that they register themselves."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ConfigError(
                f"plugins: cannot import '{module}' ({error}). Is its folder on PYTHONPATH or its package installed?"
            ) from error
