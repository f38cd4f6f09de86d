// Cells of Python that run in the page. Pyodide is loaded when the first of them is run.
import programs from "./programs.js";

const page = document.getElementById("try");
const chosen = document.getElementById("program");
const state = document.getElementById("state");
const cells = document.getElementById("cells");
let python = null;
let names = null; // the namespace that the cells of a program share

const PREPARE = `
import ast, base64, html, io, os, sys, traceback
os.environ["MPLBACKEND"] = "Agg"

def _png(data):
    return f'<img alt="What the cell drew" src="data:image/png;base64,{base64.b64encode(data).decode()}">'

def _shown(value):
    for method, wrap in (("_repr_html_", str), ("_repr_png_", _png)):
        show = getattr(value, method, None)
        if callable(show) and not isinstance(value, type):
            return wrap(show())
    return "" if value is None else f"<pre>{html.escape(repr(value))}</pre>"

def _figures():
    if "matplotlib.pyplot" not in sys.modules:
        return ""
    plt, found = sys.modules["matplotlib.pyplot"], ""
    for number in plt.get_fignums():
        file = io.BytesIO()
        plt.figure(number).savefig(file, format="png", dpi=110)
        found += _png(file.getvalue())
    plt.close("all")
    return found

def _run(source, names):
    """Run a cell; what it printed is on stdout already. Its last value and its figures come back as HTML."""
    tree = ast.parse(source, "<cell>")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    try:
        exec(compile(tree, "<cell>", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names) if last else None
        silent = source.rstrip().endswith(";")
        return ("" if silent else _shown(value)) + _figures()
    except Exception as error:
        lines = traceback.format_exception(type(error), error, error.__traceback__.tb_next)
        return f"<pre>{html.escape(''.join(lines))}</pre>"
`;

async function started() {
  if (python) return python;
  state.textContent = "Fetching Python; about 30 MB the first time …";
  const { loadPyodide } = await import(`${page.dataset.pyodide}pyodide.mjs`);
  const found = await loadPyodide({ indexURL: page.dataset.pyodide });
  state.textContent = "Fetching NumPy …";
  await found.loadPackage("numpy");
  if (!("numpy" in found.loadedPackages)) throw new Error("NumPy could not be fetched");
  const archive = await fetch(new URL("tensorgrad.zip", import.meta.url));
  if (!archive.ok) throw new Error(`tensorgrad.zip: ${archive.status}`);
  const folder = found.runPython("import site; site.getsitepackages()[0]");
  found.unpackArchive(await archive.arrayBuffer(), "zip", { extractDir: folder });
  found.runPython(PREPARE);
  python = found;
  names = python.runPython("dict(__name__='__main__')");
  return python;
}

async function run(cell) {
  const source = cell.querySelector("textarea").value;
  const printed = cell.querySelector("pre");
  const shown = cell.querySelector(".shown");
  printed.textContent = shown.innerHTML = "";
  try {
    const engine = await started();
    state.textContent = "Running …";
    if (/\bplot\b|matplotlib/.test(source)) await engine.loadPackage("matplotlib");
    await engine.loadPackagesFromImports(source);
    const write = (text) => { printed.textContent += `${text}\n`; };
    engine.setStdout({ batched: write });
    engine.setStderr({ batched: write });
    await new Promise((done) => setTimeout(done, 20)); // let the page show that it is running
    shown.innerHTML = engine.globals.get("_run")(source, names);
    state.textContent = "Ready.";
  } catch (error) {
    state.textContent = python ? "The cell could not be run." : "Python could not be started: is there a network?";
    printed.textContent += `${error}\n`;
    throw error;
  }
}

function show(title) {
  cells.replaceChildren(...programs[title].map((source, index) => {
    const cell = document.createElement("section");
    cell.className = "try-cell";
    cell.innerHTML = `<textarea spellcheck="false" aria-label="Cell ${index + 1}"></textarea>
      <button type="button">Run cell ${index + 1}</button><pre aria-live="polite"></pre><div class="shown"></div>`;
    const text = cell.querySelector("textarea");
    text.value = source.trimEnd();
    const fit = () => { text.rows = text.value.split("\n").length + 1; };
    text.addEventListener("input", fit);
    text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.shiftKey) {
        event.preventDefault();
        run(cell).catch(() => {});
      }
    });
    cell.querySelector("button").addEventListener("click", () => run(cell).catch(() => {}));
    fit();
    return cell;
  }));
}

for (const title of Object.keys(programs)) chosen.add(new Option(title, title));
chosen.addEventListener("change", () => show(chosen.value));
document.getElementById("run-all").addEventListener("click", async () => {
  try {
    for (const cell of cells.children) await run(cell);
  } catch { /* the cell says what was wrong */ }
});
document.getElementById("restart").addEventListener("click", () => {
  python = null;
  state.textContent = "Python starts when a cell is run.";
});
show(chosen.value);
