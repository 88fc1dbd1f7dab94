"""The sections of config.yaml, a module each, with the settings of the stages that depend on them."""
