#!/usr/bin/python3
"""A CGI script for users who have logged in; checks the session with libpostern
through ctypes.

A server in Python calls sessions() once; its threads may share the result.
"""
import ctypes
import os
import sys
from ctypes import c_bool, c_char, c_char_p, c_int64, c_size_t, c_uint32, c_void_p


class Settings(ctypes.Structure):  # struct pst_settings
    _fields_ = [("size", c_size_t), ("secrets", c_char_p), ("audience", c_char_p),
                ("cookie_name", c_char_p), ("cookie_domain", c_char_p),
                ("cookie_path", c_char_p), ("same_site", c_char_p),
                ("flags", c_uint32), ("reserved", c_uint32), ("idle", c_int64),
                ("lifetime", c_int64), ("remember", c_int64), ("guest", c_int64),
                ("clock", c_void_p), ("clock_context", c_void_p)]


class Visitor(ctypes.Structure):  # struct pst_visitor
    _fields_ = [("size", c_size_t), ("since", c_int64), ("expires", c_int64),
                ("idle_expires", c_int64), ("subject", c_char * 257),
                ("name", c_char * 257), ("claims", c_char * 1025),
                ("remember", c_bool), ("guest", c_bool)]


postern = ctypes.CDLL("libpostern.so.0")
postern.pst_sessions_new.argtypes = [
    ctypes.POINTER(c_void_p), ctypes.POINTER(Settings), ctypes.POINTER(c_char_p)]
postern.pst_check.argtypes = [c_void_p, c_char_p, ctypes.POINTER(Visitor)]


def sessions(secrets):
    made, reason = c_void_p(), c_char_p()
    settings = Settings(size=ctypes.sizeof(Settings), secrets=secrets.encode())
    if postern.pst_sessions_new(made, settings, reason) != 0:
        raise ValueError((reason.value or b"out of memory").decode())
    return made


def check(made, cookie):
    """Return who sent a request with this Cookie header; None without a session."""
    visitor = Visitor(size=ctypes.sizeof(Visitor))
    header = cookie.encode("utf-8", "surrogateescape")
    return visitor if postern.pst_check(made, header, visitor) == 0 else None


if __name__ == "__main__":
    who = check(sessions(os.environ["COOKIE_SESSION_SECRET"]),
                os.environ.get("HTTP_COOKIE", ""))
    if who is None:
        answer = b"Status: 303 See Other\r\nLocation: /login\r\n\r\n"
    else:
        answer = (b"Content-Type: text/plain; charset=utf-8\r\n"
                  b"Cache-Control: private, no-cache\r\n\r\n"
                  b"Hello, " + who.name + b"\n")
    sys.stdout.buffer.write(answer)
