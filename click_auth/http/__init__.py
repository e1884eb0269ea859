"""HTTP as the library speaks it: clients, proxies, certificates, transports."""

REFUSE_NETWORK = "CLICK_AUTH_REFUSE_NETWORK"
"""Names the variable that is 1 where no other machine may be reached: in a test's child process."""

in_test_run: bool = False
"""The same for this process, set by the pytest plugin."""

refused: list[str] = []
"""What a test was about to reach, or to touch; the plugin takes it out after each test."""
