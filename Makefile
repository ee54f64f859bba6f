# Set-up, build and checks of the whole project. `make help` lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
