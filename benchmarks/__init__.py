"""The benchmarks of skncae. They import the package, never the other way round."""
