from snakemake.utils import min_version

min_version("9.27.1")


include: "workflow/rules/config.smk"


configfile: CONFIG_FILE


include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/policies.smk"
include: "workflow/rules/rollouts.smk"
include: "workflow/rules/jacobians.smk"
include: "workflow/rules/structure.smk"
include: "workflow/rules/sparsity.smk"
include: "workflow/rules/temporal.smk"
include: "workflow/rules/interventions.smk"
include: "workflow/rules/embedding.smk"
include: "workflow/rules/ablation.smk"
include: "workflow/rules/world_models.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"


rule all:
    default_target: True
    input:
        [PATHS.stores(stage) for stage in REQUESTED],
        PATHS.tables(),
        PATHS.figures(),
