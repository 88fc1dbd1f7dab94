"""The sections of config.yaml, one module each, and the settings of the stages that depend on them."""
