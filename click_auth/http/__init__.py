"""HTTP as the library speaks it: clients, proxies, certificates, transports."""
