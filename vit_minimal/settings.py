"""What both configurations, of the model and of its training, check of their fields."""

KINDS = {bool: "True or False", int: "a whole number", float: "a number"}


def plain_number(value):
    """Python's own number for one of NumPy's, or for a tensor of one number; all else unchanged."""
    return value.item() if getattr(value, "shape", None) == () else value


def check_kinds(config, names, kind):
    """ValueError unless these fields of a frozen `config` are a `kind`: bool, int or float.

    A whole number does where a float belongs, True and False only where a bool does. NumPy's
    numbers become Python's, since JSON knows no others.
    """
    for name in names:
        value = plain_number(getattr(config, name))
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise ValueError(f"{name} must be {KINDS[kind]}, is {value!r}")
        object.__setattr__(config, name, value)  # frozen is for its users


def check_choice(name, value, choices):
    """ValueError, which lists them, unless `value` is one of the `choices`."""
    if value not in choices:
        raise ValueError(f"unknown {name} {value!r}: choose one of {choices}")


def check_least(name, value, least):
    """ValueError if a number is smaller than `least`."""
    if not value >= least:  # so that NaN is refused too
        raise ValueError(f"{name} must be at least {least}, is {value}")


def check_share(name, value):
    """ValueError if a number is not in [0, 1)."""
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be in [0, 1), is {value}")
