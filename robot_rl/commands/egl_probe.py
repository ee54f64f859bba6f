"""A program of its own: goes as far as a GL context through EGL without a display, draws nothing.

Prints the vendor and ends with 0, or prints one reason and ends with 1. Only ctypes, so that it
takes milliseconds and needs no package.
"""

import ctypes
import ctypes.util
import sys

_VENDOR = 0x3053
_PLATFORM_DEVICE = 0x313F
_OPENGL_API = 0x30A2
_CONFIG = (0x3033, 0x0001, 0x3040, 0x0008, 0x3038)  # pbuffer surfaces, desktop OpenGL, end
_MOST = 16


def probe() -> str:
    """The first EGL device's vendor. Raises OSError with the reason."""
    name = ctypes.util.find_library("EGL")
    if name is None:
        raise OSError("the library libEGL is missing")
    egl = ctypes.CDLL(name)
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    egl.eglQueryString.restype = ctypes.c_char_p
    egl.eglQueryString.argtypes = [ctypes.c_void_p, ctypes.c_int]
    pointer, number = ctypes.c_void_p, ctypes.c_int
    devices, count = (pointer * _MOST)(), number()
    query = _extension(egl, b"eglQueryDevicesEXT", number, number, pointer, pointer)
    display_of = _extension(egl, b"eglGetPlatformDisplayEXT", pointer, number, pointer, pointer)
    if not query(_MOST, devices, ctypes.byref(count)) or count.value == 0:
        raise OSError("EGL knows no device to draw with")
    for index in range(count.value):
        display = display_of(_PLATFORM_DEVICE, devices[index], None)
        if display and _context(egl, pointer(display)):
            vendor = egl.eglQueryString(display, _VENDOR) or b"unknown vendor"
            return f"EGL by {vendor.decode(errors='replace')}"
    raise OSError("no EGL device makes an OpenGL context")


def _extension(egl, name, result, *arguments):
    address = egl.eglGetProcAddress(name)
    if not address:
        raise OSError(f"EGL lacks {name.decode()}")
    return ctypes.CFUNCTYPE(result, *arguments)(address)


def _context(egl: ctypes.CDLL, display: ctypes.c_void_p) -> bool:
    egl.eglCreateContext.restype = ctypes.c_void_p
    egl.eglCreateContext.argtypes = [ctypes.c_void_p] * 4
    if not egl.eglInitialize(display, None, None):
        return False
    config, found = ctypes.c_void_p(), ctypes.c_int()
    wanted = (ctypes.c_int * len(_CONFIG))(*_CONFIG)
    chosen = egl.eglChooseConfig(display, wanted, ctypes.byref(config), 1, ctypes.byref(found))
    if not chosen or found.value == 0 or not egl.eglBindAPI(_OPENGL_API):
        return False
    return bool(egl.eglCreateContext(display, config, None, None))


if __name__ == "__main__":
    try:
        print(probe())
    except (OSError, AttributeError) as error:
        print(error)
        sys.exit(1)
