"""Whole training sessions against the simulator, with a scripted operator as a client of the live
API.
"""
