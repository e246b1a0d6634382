// Runs later_names.py on Pyodide, which is Python 3.14 in WebAssembly: JAX has no build for it.
//   node tests/annotations/python_3_14.mjs node_modules/pyodide/pyodide.mjs
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const { loadPyodide } = await import(resolve(process.argv[2]));
const python = await loadPyodide();
const read = (path) => readFileSync(path, "utf8");
const deferred = "from __future__ import annotations\n";

python.globals.set("module", read("src/typedstate/_annotations/lazy_annotations.py"));
python.globals.set("cases", read("tests/annotations/later_names.py").replace(deferred, ""));
python.runPython(`
import sys, types

def made(name, text):
    found = types.ModuleType(name)
    sys.modules[name] = found
    exec(compile(text, name, "exec"), vars(found))
    return found

assert sys.version_info[:2] == (3, 14), sys.version
assert "__future__" not in cases
made("later_names", cases).check(made("lazy_annotations", module))
print(f"Python {sys.version.split()[0]} reads annotations as expected")
`);
