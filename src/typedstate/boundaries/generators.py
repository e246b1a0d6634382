"""Source lines that run a generator and check what it yields; `wrapper` writes them.

``§`` stands for the prefix of the wrapper's names.
"""

from __future__ import annotations


def driven(invoke: str, items: list[str], last: list[str]) -> list[str]:
    """Runs a generator and checks what it yields and returns; nothing stays open meanwhile."""
    return [
        f"§generator = {invoke}",
        "try:",
        "    §found = §next(§generator)",
        "    while True:",
        *(f"        {line}" for line in items),
        "        §held = [§found]",
        "        del §found",  # nothing that was yielded stays alive by us
        "        try:",
        "            §sent = yield §held.pop()",
        "        except §GeneratorExit:",
        "            raise",
        "        except §BaseException as §error:",
        "            §found = §generator.throw(§error)",
        "        else:",
        "            §found = §generator.send(§sent)",
        "except §StopIteration as §stop:",
        "    §found = §stop.value",
        "finally:",
        "    §generator.close()",
        *last,
        "return §found",
    ]


def driven_async(invoke: str, items: list[str]) -> list[str]:
    """Runs an asynchronous generator and checks what it yields."""
    return [
        f"§generator = {invoke}",
        "try:",
        "    §found = await §anext(§generator)",
        "    while True:",
        *(f"        {line}" for line in items),
        "        §held = [§found]",
        "        del §found",  # nothing that was yielded stays alive by us
        "        try:",
        "            §sent = yield §held.pop()",
        "        except §GeneratorExit:",
        "            raise",
        "        except §BaseException as §error:",
        "            §found = await §generator.athrow(§error)",
        "        else:",
        "            §found = await §generator.asend(§sent)",
        "except §StopAsyncIteration:",
        "    pass",
        "finally:",
        "    await §generator.aclose()",
    ]
