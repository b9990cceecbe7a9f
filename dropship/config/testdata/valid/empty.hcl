# No services yet.
