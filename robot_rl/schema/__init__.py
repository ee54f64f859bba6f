"""All that crosses a process or network boundary; the only code the services share."""
