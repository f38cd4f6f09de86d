"""The shell's way in: ``program`` has the arguments, ``commands`` what they do, ``sources`` the data."""
