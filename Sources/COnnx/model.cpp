#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "connx.h"
#include "wire.h"

/// The parsed skeleton, and the places found in the file.
struct connx_model {
  onnx::ModelProto proto;
  connx::Places places;
  /// Initializers, then tensors of attributes, in file order.
  std::vector<const onnx::TensorProto *> tensors;
};

namespace {

connx_string view(const std::string &text) { return {text.data(), text.size()}; }

void fail(char *message, std::size_t capacity, const char *text) {
  if (message == nullptr || capacity == 0) return;
  const std::size_t length = std::min(std::strlen(text), capacity - 1);
  std::memcpy(message, text, length);
  message[length] = 0;
}

const connx::TensorPlaces &placesOf(const connx_model &model, std::size_t index) {
  const std::size_t initializers = model.places.initializers.size();
  return index < initializers ? model.places.initializers[index]
                              : model.places.attributeTensors[index - initializers];
}

/// The skeleton and the places must speak of the same things in the same order.
void collectTensors(connx_model &model) {
  const onnx::GraphProto &graph = model.proto.graph();
  for (const auto &tensor : graph.initializer()) model.tensors.push_back(&tensor);
  bool agrees = model.tensors.size() == model.places.initializers.size() &&
                static_cast<std::size_t>(graph.node_size()) == model.places.nodes.size();
  for (int node = 0; agrees && node < graph.node_size(); ++node) {
    const auto &places = model.places.nodes[node];
    agrees = static_cast<std::size_t>(graph.node(node).attribute_size()) == places.attributes.size() &&
             static_cast<std::size_t>(graph.node(node).input_size()) == places.inputs.size();
    for (std::size_t index = 0; agrees && index < places.attributes.size(); ++index) {
      const auto &attribute = graph.node(node).attribute(static_cast<int>(index));
      if (places.attributes[index].tensor < 0) continue;
      agrees = attribute.has_t();
      model.tensors.push_back(&attribute.t());
    }
  }
  if (!agrees) throw connx::FormatError("the message does not read the same way twice");
}

connx_storage storageOf(const onnx::TensorProto &tensor, const connx::TensorPlaces &places) {
  if (tensor.data_location() == onnx::TensorProto::EXTERNAL) return CONNX_STORAGE_EXTERNAL;
  int forms = 0;
  connx_storage storage = CONNX_STORAGE_NONE;
  const auto consider = [&](bool present, connx_storage form) {
    if (!present) return;
    ++forms;
    storage = form;
  };
  consider(places.raw.length_size != 0, CONNX_STORAGE_RAW);
  consider(places.floats.length_size != 0, CONNX_STORAGE_FLOATS);
  consider(tensor.float_data_size() > 0, CONNX_STORAGE_OTHER);
  consider(tensor.int32_data_size() > 0, CONNX_STORAGE_INT32);
  consider(tensor.int64_data_size() > 0, CONNX_STORAGE_INT64);
  consider(tensor.double_data_size() > 0, CONNX_STORAGE_DOUBLE);
  consider(tensor.uint64_data_size() > 0, CONNX_STORAGE_UINT64);
  consider(tensor.string_data_size() > 0, CONNX_STORAGE_OTHER);
  if (tensor.has_segment()) return CONNX_STORAGE_OTHER;
  // An empty raw field beside another form is what some writers leave behind.
  if (forms == 2 && places.raw.length_size != 0 && places.raw.length == 0) return storage;
  return forms > 1 ? CONNX_STORAGE_OTHER : storage;
}

const onnx::ValueInfoProto &valueAt(const connx_model &model, int32_t isOutput, std::size_t index) {
  const onnx::GraphProto &graph = model.proto.graph();
  return isOutput != 0 ? graph.output(static_cast<int>(index)) : graph.input(static_cast<int>(index));
}

}  // namespace

extern "C" {

connx_model *connx_model_parse(
    const uint8_t *bytes, size_t length, char *message, size_t capacity) {
  try {
    auto model = std::make_unique<connx_model>();
    model->places = connx::locate(bytes, length);
    const std::string &skeleton = model->places.skeleton;
    if (!model->proto.ParseFromArray(skeleton.data(), static_cast<int>(skeleton.size()))) {
      throw connx::FormatError("its fields do not have the types of an ONNX model");
    }
    std::string().swap(model->places.skeleton);
    collectTensors(*model);
    return model.release();
  } catch (const std::bad_alloc &) {
    fail(message, capacity, "there is not enough memory to read it");
  } catch (const std::exception &error) {
    fail(message, capacity, error.what());
  } catch (...) {
    fail(message, capacity, "it cannot be read");
  }
  return nullptr;
}

void connx_model_free(connx_model *model) { delete model; }

connx_model_info connx_model_describe(const connx_model *model) {
  const onnx::ModelProto &proto = model->proto;
  const onnx::GraphProto &graph = proto.graph();
  connx_model_info info{};
  info.ir_version = proto.ir_version();
  info.producer_name = view(proto.producer_name());
  info.producer_version = view(proto.producer_version());
  info.opsets = proto.opset_import_size();
  info.metadata = proto.metadata_props_size();
  info.functions = proto.functions_size();
  info.nodes = graph.node_size();
  info.inputs = graph.input_size();
  info.outputs = graph.output_size();
  info.tensors = model->tensors.size();
  info.initializers = graph.initializer_size();
  info.sparse_initializers = graph.sparse_initializer_size();
  info.messages = model->places.messages.size();
  info.graph_message = model->places.graph;
  return info;
}

connx_string connx_opset(const connx_model *model, size_t index, int64_t *out_version) {
  const auto &opset = model->proto.opset_import(static_cast<int>(index));
  *out_version = opset.version();
  return view(opset.domain());
}

connx_string connx_metadata(const connx_model *model, size_t index, connx_string *out_value) {
  const auto &entry = model->proto.metadata_props(static_cast<int>(index));
  *out_value = view(entry.value());
  return view(entry.key());
}

connx_node connx_node_at(const connx_model *model, size_t index) {
  const auto &node = model->proto.graph().node(static_cast<int>(index));
  return {view(node.op_type()),
          view(node.domain()),
          view(node.name()),
          static_cast<size_t>(node.input_size()),
          static_cast<size_t>(node.output_size()),
          static_cast<size_t>(node.attribute_size())};
}

connx_string connx_node_input(
    const connx_model *model, size_t node, size_t input, connx_field *out_field) {
  *out_field = model->places.nodes[node].inputs[input];
  return view(model->proto.graph().node(static_cast<int>(node)).input(static_cast<int>(input)));
}

connx_string connx_node_output(const connx_model *model, size_t node, size_t output) {
  return view(model->proto.graph().node(static_cast<int>(node)).output(static_cast<int>(output)));
}

connx_attribute connx_attribute_at(const connx_model *model, size_t node, size_t index) {
  const auto &attribute =
      model->proto.graph().node(static_cast<int>(node)).attribute(static_cast<int>(index));
  const auto &places = model->places.nodes[node].attributes[index];
  connx_attribute result{};
  result.name = view(attribute.name());
  result.type = attribute.type();
  result.f = attribute.f();
  result.i = attribute.i();
  result.s = view(attribute.s());
  result.floats = attribute.floats().data();
  result.floats_count = attribute.floats_size();
  result.ints = attribute.ints().data();
  result.ints_count = attribute.ints_size();
  result.tensor = places.tensor < 0 ? -1
                                    : places.tensor + static_cast<int64_t>(
                                                          model->places.initializers.size());
  result.f_offset = places.floatOffset;
  return result;
}

connx_value connx_value_at(const connx_model *model, int32_t is_output, size_t index) {
  const auto &value = valueAt(*model, is_output, index);
  connx_value result{};
  result.name = view(value.name());
  if (value.has_type() && value.type().has_tensor_type()) {
    const auto &type = value.type().tensor_type();
    result.element_type = type.elem_type();
    result.has_shape = type.has_shape() ? 1 : 0;
    result.rank = type.shape().dim_size();
  }
  return result;
}

connx_dimension connx_dimension_at(
    const connx_model *model, int32_t is_output, size_t index, size_t axis) {
  const auto &dimension = valueAt(*model, is_output, index)
                              .type()
                              .tensor_type()
                              .shape()
                              .dim(static_cast<int>(axis));
  connx_dimension result{};
  result.size = dimension.has_dim_value() ? dimension.dim_value() : -1;
  result.name = view(dimension.dim_param());
  return result;
}

connx_tensor connx_tensor_at(const connx_model *model, size_t index) {
  const onnx::TensorProto &tensor = *model->tensors[index];
  const connx::TensorPlaces &places = placesOf(*model, index);
  connx_tensor result{};
  result.name = view(tensor.name());
  result.data_type = tensor.data_type();
  result.dims = tensor.dims().data();
  result.rank = tensor.dims_size();
  result.storage = storageOf(tensor, places);
  switch (result.storage) {
    case CONNX_STORAGE_RAW:
      result.payload = places.raw;
      break;
    case CONNX_STORAGE_FLOATS:
      result.payload = places.floats;
      break;
    case CONNX_STORAGE_INT32:
      result.payload = places.int32s;
      result.elements = tensor.int32_data().data();
      result.elements_count = tensor.int32_data_size();
      break;
    case CONNX_STORAGE_INT64:
      result.elements = tensor.int64_data().data();
      result.elements_count = tensor.int64_data_size();
      break;
    case CONNX_STORAGE_DOUBLE:
      result.elements = tensor.double_data().data();
      result.elements_count = tensor.double_data_size();
      break;
    case CONNX_STORAGE_UINT64:
      result.elements = tensor.uint64_data().data();
      result.elements_count = tensor.uint64_data_size();
      break;
    case CONNX_STORAGE_EXTERNAL:
      for (const auto &entry : tensor.external_data()) {
        if (entry.key() == "location") result.location = view(entry.value());
        if (entry.key() == "offset") result.offset = view(entry.value());
        if (entry.key() == "length") result.length = view(entry.value());
      }
      result.location_field = places.location;
      break;
    default:
      break;
  }
  return result;
}

connx_field connx_message(const connx_model *model, size_t index) {
  return model->places.messages[index];
}

}  // extern "C"
