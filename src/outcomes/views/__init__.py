"""From a release to tables, figures and sentences.

The folder is the registry: a module's ``__all__`` names its views, functions of releases that return a
`View`. They can be imported from here; nothing is loaded before it is asked for.
"""

from outcomes.machine.offered import offer_lazily

__getattr__, __dir__ = offer_lazily(
    __name__, {"outcomes.views.view": ("View", "read_view", "write_view")}, [__name__]
)
