// A parsed model, as the parts of the interface share it.
#ifndef CONNX_MODEL_H
#define CONNX_MODEL_H

#include "classes.h"

#include <memory>
#include <vector>

#include "wire.h"

/// A node and its places.
struct NodeReference {
  const onnx::NodeProto *proto;
  const connx::NodePlaces *places;
};

/// A tensor and its places.
struct TensorReference {
  const onnx::TensorProto *proto;
  const connx::TensorPlaces *places;
};

/// A graph and where its parts are in the model's lists.
struct GraphReference {
  const onnx::GraphProto *proto;
  std::size_t firstNode;
  std::size_t firstTensor;
};

/// The parsed skeleton, and the places found in the file.
struct connx_model {
  onnx::ModelProto proto;
  std::shared_ptr<const connx::Places> places;
  /// The model's graph, then branches of nodes, in file order.
  std::vector<GraphReference> graphs;
  /// Nodes, graph by graph.
  std::vector<NodeReference> nodes;
  /// Initializers, graph by graph, then tensors of attributes.
  std::vector<TensorReference> tensors;
  std::size_t firstAttributeTensor = 0;
};

#endif
