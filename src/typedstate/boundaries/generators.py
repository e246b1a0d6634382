"""Source lines that run a generator and check what it yields; `wrapper` writes them.

``§`` stands for the prefix of the wrapper's names.
"""

from __future__ import annotations


def driven(invoke: str, items: list[str], last: list[str]) -> list[str]:
    """Runs a generator and checks what it yields and returns; nothing stays open meanwhile."""
    ended = ["except §StopIteration as §stop:", "    §found = §stop.value"]
    return [*_driven(invoke, items, ended, "", ""), *last, "return §found"]


def driven_async(invoke: str, items: list[str]) -> list[str]:
    """Runs an asynchronous generator and checks what it yields."""
    return _driven(invoke, items, ["except §StopAsyncIteration:", "    pass"], "await ", "a")


def _driven(invoke: str, items: list[str], ended: list[str], wait: str, a: str) -> list[str]:
    """The loop of both: `a` begins the names of an asynchronous generator's methods."""
    return [
        f"§generator = {invoke}",
        "try:",
        f"    §found = {wait}§{a}next(§generator)",
        "    while True:",
        *(f"        {line}" for line in items),
        "        §held = [§found]",
        "        del §found",  # nothing that was yielded stays alive by us
        "        try:",
        "            §sent = yield §held.pop()",
        "        except §GeneratorExit:",
        "            raise",
        "        except §BaseException as §error:",
        f"            §found = {wait}§generator.{a}throw(§error)",
        "        else:",
        f"            §found = {wait}§generator.{a}send(§sent)",
        *ended,
        "finally:",
        f"    {wait}§generator.{a}close()",
    ]
