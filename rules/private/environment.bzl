"""The declared environment of a program that DataBuild runs."""

def environment(binary, env, env_inherit):
    """What `RunEnvironmentInfo` of a binary says, and over it what is declared where it is used.

    Args:
        binary: Target.
        env: dictionary of values.
        env_inherit: list of names.

    Returns:
        A pair: values, and sorted names that are taken from the terminal's environment.
    """
    all_env = {}
    inherit = list(env_inherit)
    if RunEnvironmentInfo in binary:
        info = binary[RunEnvironmentInfo]
        all_env.update(info.environment)
        inherit += info.inherited_environment
    all_env.update(env)

    # A value that is declared is not inherited.
    return all_env, sorted({name: None for name in inherit if name not in all_env})
