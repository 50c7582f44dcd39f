"""Settings of Sphinx."""

import skncae

project = "skncae"
author = "The skncae developers"
copyright = f"2026, {author}"
version = release = skncae.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "examples"]

# The class template lists the members; numpydoc would list them again.
numpydoc_show_class_members = False
# scikit-learn makes these; their text refers to pages of its own documentation.
autodoc_default_options = {
    "exclude-members": "set_fit_request, set_predict_request, set_predict_proba_request"
}
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "write_computation_times": False,
    "show_memory": False,
}

html_theme = "pydata_sphinx_theme"
# "skncae 0.1.0 documentation", the default, is wider than a telephone.
html_title = f"skncae {version}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
# Pages that have none below them need no list of those.
html_sidebars = dict.fromkeys(
    ["install", "benchmarks", "method", "images", "architecture", "whats_new"], []
)
