"""How skl2onnx converts a pipeline that ends in a detector.

It asks the model itself for the three functions below. So nothing has to be registered
with it, and nothing of it is imported before it is there.
"""

import numpy as np

# The operations of a model are those of this opset; later ones have them all.
OPSET = 18


def onnx_parser(model):
    """Return what says which outputs there are: those of all outlier detectors."""

    def parse(scope=None, inputs=None):
        from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType

        return [
            scope.declare_local_variable("label", Int64TensorType()),
            scope.declare_local_variable("scores", DoubleTensorType()),
        ]

    return parse


def onnx_shape_calculator(model):
    """Return what says of which shapes they are, (n_samples, 1)."""

    def calculate(operator):
        from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType

        n_samples = operator.inputs[0].get_first_dimension()
        operator.outputs[0].type = Int64TensorType([n_samples, 1])
        operator.outputs[1].type = DoubleTensorType([n_samples, 1])

    return calculate


def onnx_converter(model):
    """Return what writes the operations of the model into the graph of a pipeline."""

    def convert(scope, operator, container):
        if container.target_opset_onnx < OPSET:
            raise ValueError(
                f"target_opset={container.target_opset_onnx}, and a "
                f"{type(model).__name__} needs {OPSET} or later."
            )
        _Copy(scope, operator, container).of(model._onnx_model())

    return convert


class _Copy:
    """Copies a model of one input, X, into the graph of a pipeline.

    Parameters
    ----------
    scope, operator, container
        Those of skl2onnx.
    """

    def __init__(self, scope, operator, container):
        self._scope = scope
        self._operator = operator
        self._container = container
        self._names = {}

    def of(self, model):
        """Copy the nodes under names of their own, and connect both ends."""
        from onnx import helper

        self._names[model.graph.input[0].name] = self._rows()
        for tensor in model.graph.initializer:
            copied = type(tensor)()
            copied.CopyFrom(tensor)
            copied.name = self._name(tensor.name)
            self._container.initializers.append(copied)
        for node in model.graph.node:
            self._container.add_node(
                node.op_type,
                [self._name(name) for name in node.input],
                [self._name(name) for name in node.output],
                op_domain=node.domain,
                name=self._scope.get_unique_operator_name(node.op_type),
                **{a.name: helper.get_attribute_value(a) for a in node.attribute},
            )
        label, scores = (variable.full_name for variable in self._operator.outputs)
        self._column("label", label)
        self._column("decision_function", scores)

    def _name(self, name):
        """Name of a value in the pipeline; that of an input left out is empty."""
        if name and name not in self._names:
            self._names[name] = self._scope.get_unique_variable_name(name)
        return self._names.get(name, "")

    def _rows(self):
        """Name of the rows in float64, side by side if they come by column."""
        from onnx import TensorProto

        parts = []
        for variable in self._operator.inputs:
            part = self._scope.get_unique_variable_name("part")
            self._container.add_node(
                "Cast",
                [variable.full_name],
                [part],
                name=self._scope.get_unique_operator_name("Cast"),
                to=TensorProto.DOUBLE,
            )
            parts.append(part)
        rows = self._scope.get_unique_variable_name("rows")
        name = self._scope.get_unique_operator_name("Concat")
        self._container.add_node("Concat", parts, [rows], name=name, axis=1)
        return rows

    def _column(self, name, full_name):
        """Give out an output as a column."""
        from onnx import numpy_helper

        axes = self._scope.get_unique_variable_name("axes")
        tensor = numpy_helper.from_array(np.array([1], np.int64), axes)
        self._container.initializers.append(tensor)
        self._container.add_node(
            "Unsqueeze",
            [self._name(name), axes],
            [full_name],
            name=self._scope.get_unique_operator_name("Unsqueeze"),
        )
