"""`doctor` asks the installed drivers what is attached: ours, and those of other packages."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hardware import spacemouse, webcam
from hardware.driver import Attached
from hardware.realsense import RealSenseSettings
from hardware.spacemouse import SpaceMouseSettings
from hardware.webcam import WebcamSettings

ROOT = Path(__file__).parents[1]
PACKAGE = {
    "third.py": """
        import os
        from hardware.camera import CameraDriver, CameraSettings
        from hardware.driver import Attached
        from hardware.teleop import TeleopDriver, TeleopSettings

        def cameras():
            locked = Attached(name="B2", problem="B2 is locked", mend="unlock it")
            return (Attached(name="B1"), locked)

        def pedals():
            os.abort()

        def nothing(*_):
            raise NotImplementedError

        class Settings(CameraSettings):
            number: str

            def among(self, attached):
                for each in attached:
                    if each.name == self.number:
                        return each
                raise LookupError(f"no third camera has the number {self.number}")

        CAMERA = CameraDriver(settings=Settings, open=nothing, attached=cameras)
        PEDAL = TeleopDriver(settings=TeleopSettings, open=nothing, attached=pedals)
        SILENT = TeleopDriver(settings=TeleopSettings, open=nothing)
    """,
    "third-1.0.dist-info/METADATA": """
        Metadata-Version: 2.1
        Name: third
        Version: 1.0
    """,
    "third-1.0.dist-info/entry_points.txt": """
        [robot_rl.cameras]
        third_camera = third:CAMERA
        [robot_rl.teleop]
        pedal = third:PEDAL
        silent = third:SILENT
    """,
}
PROGRAM = """
    import json
    from types import SimpleNamespace
    import third
    from robot_rl.commands.devices import attached, of_cell
    cameras = {
        name: third.Settings(driver="third_camera", number=name) for name in ("B1", "B2", "B3")
    }
    cell = SimpleNamespace(cameras=cameras, teleop=())
    found = [*attached(), *of_cell(cell)]
    print(json.dumps({each.name: [each.state, each.text, each.mend] for each in found}))
"""


def test_what_another_packages_drivers_find_is_shown(tmp_path: Path) -> None:
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text).lstrip())
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)],
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["third_camera (camera)"] == ["warning", "B1, B2; B2 is locked", "unlock it"]
    state, text, _ = found["pedal (teleop)"]
    assert state == "warning", "a driver that ends its process is no end of doctor"
    assert "cannot be told" in text
    assert not any("silent" in name or "simulated" in name for name in found)
    assert {"spacemouse (teleop)", "webcam (camera)", "realsense (camera)"} <= found.keys()
    assert found["camera B1"] == ["ok", "B1", ""]
    assert found["camera B2"] == ["problem", "B2 is locked", "unlock it"]
    assert found["camera B3"][:2] == [
        "problem", "no third camera has the number B3 (attached: B1, B2)",
    ]  # fmt: skip


def test_spacemice_are_known_by_their_maker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, identity in (
        ("hidraw0", "0003:0000256F:0000C635"),
        ("hidraw1", "0003:0000046D:0000C626"),
        ("hidraw2", "0003:0000046D:0000C52B"),  # a receiver for ordinary mice
    ):
        (tmp_path / name / "device").mkdir(parents=True)
        (tmp_path / name / "device" / "uevent").write_text(f"DRIVER=x\nHID_ID={identity}\n")
    monkeypatch.setattr(spacemouse, "HID", tmp_path)
    monkeypatch.setattr(spacemouse.os, "access", lambda path, _: path == "/dev/hidraw0")
    one, other = spacemouse.attached()
    assert (one.name, one.problem) == ("/dev/hidraw0", "")
    assert (other.name, bool(other.mend)) == ("/dev/hidraw1", True)
    assert "/dev/hidraw1 may not be read" in other.problem
    section = SpaceMouseSettings(driver="spacemouse")
    assert section.among((other, one)) == one, "any that can be used"
    assert section.among((other,)) == other
    with pytest.raises(LookupError, match="none is attached"):
        section.among(())


def test_a_webcam_is_meant_by_number_path_link_or_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("video0", "video10", "video2", "null"):
        (tmp_path / name).touch()
    (tmp_path / "by-id").symlink_to(tmp_path / "video2")
    monkeypatch.setattr(webcam, "DEVICES", tmp_path)
    found = webcam.attached()
    assert [Path(each.name).name for each in found] == ["video0", "video2", "video10"]

    def meant(device: str) -> str:
        return WebcamSettings(driver="webcam", device=device).among(found).name

    assert meant("10") == str(tmp_path / "video10")
    assert meant(str(tmp_path / "by-id")) == str(tmp_path / "video2")
    recording = tmp_path / "recording.avi"
    recording.touch()
    assert meant(str(recording)) == str(recording)
    for missing in ("5", "/dev/video99", str(tmp_path / "other.avi")):
        with pytest.raises(LookupError, match="is not there"):
            meant(missing)


def test_a_realsense_is_meant_by_its_serial_number() -> None:
    section = RealSenseSettings(driver="realsense", serial="12")
    assert section.among((Attached(name="1"), Attached(name="12"))).name == "12"
    with pytest.raises(LookupError, match="no RealSense with the serial number 12"):
        section.among((Attached(name="1"),))
