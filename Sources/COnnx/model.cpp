#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "connx.h"
#include "model.h"

namespace {

connx_string view(const std::string &text) { return {text.data(), text.size()}; }

void fail(char *message, std::size_t capacity, const char *text) {
  if (message == nullptr || capacity == 0) return;
  const std::size_t length = std::min(std::strlen(text), capacity - 1);
  std::memcpy(message, text, length);
  message[length] = 0;
}

void require(bool agrees) {
  if (!agrees) throw connx::FormatError("the message does not read the same way twice");
}

/// Pairs graphs with their places; the skeleton and the places must name the same things.
void collectGraphs(connx_model &model) {
  model.graphs.resize(model.places->graphs.size());
  model.graphs[0] = {&model.proto.graph(), 0, 0};
  std::vector<const onnx::TensorProto *> attributeTensors(model.places->attributeTensors.size());
  // Branches come behind the graph that contains them, so every graph is known when it is reached.
  for (std::size_t index = 0; index < model.graphs.size(); ++index) {
    GraphReference &graph = model.graphs[index];
    const connx::GraphPlaces &places = model.places->graphs[index];
    require(graph.proto != nullptr &&
            static_cast<std::size_t>(graph.proto->node_size()) == places.nodes.size() &&
            static_cast<std::size_t>(graph.proto->initializer_size()) ==
                places.initializers.size());
    graph.firstNode = model.nodes.size();
    graph.firstTensor = model.tensors.size();
    for (std::size_t tensor = 0; tensor < places.initializers.size(); ++tensor) {
      model.tensors.push_back(
          {&graph.proto->initializer(static_cast<int>(tensor)), &places.initializers[tensor]});
    }
    for (std::size_t node = 0; node < places.nodes.size(); ++node) {
      const auto &proto = graph.proto->node(static_cast<int>(node));
      const connx::NodePlaces &nodePlaces = places.nodes[node];
      require(static_cast<std::size_t>(proto.attribute_size()) == nodePlaces.attributes.size() &&
              static_cast<std::size_t>(proto.input_size()) == nodePlaces.inputs.size());
      model.nodes.push_back({&proto, &nodePlaces});
      for (std::size_t position = 0; position < nodePlaces.attributes.size(); ++position) {
        const auto &attribute = proto.attribute(static_cast<int>(position));
        const connx::AttributePlaces &found = nodePlaces.attributes[position];
        if (found.tensor >= 0) {
          require(attribute.has_t());
          attributeTensors[static_cast<std::size_t>(found.tensor)] = &attribute.t();
        }
        if (found.graph >= 0) {
          require(attribute.has_g());
          model.graphs[static_cast<std::size_t>(found.graph)].proto = &attribute.g();
        }
      }
    }
  }
  model.firstAttributeTensor = model.tensors.size();
  for (std::size_t tensor = 0; tensor < attributeTensors.size(); ++tensor) {
    require(attributeTensors[tensor] != nullptr);
    model.tensors.push_back({attributeTensors[tensor], &model.places->attributeTensors[tensor]});
  }
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
  consider(places.raw.lengthSize != 0, CONNX_STORAGE_RAW);
  consider(places.floats.lengthSize != 0, CONNX_STORAGE_FLOATS);
  consider(tensor.float_data_size() > 0, CONNX_STORAGE_OTHER);
  consider(tensor.int32_data_size() > 0, CONNX_STORAGE_INT32);
  consider(tensor.int64_data_size() > 0, CONNX_STORAGE_INT64);
  consider(tensor.double_data_size() > 0, CONNX_STORAGE_DOUBLE);
  consider(tensor.uint64_data_size() > 0, CONNX_STORAGE_UINT64);
  consider(tensor.string_data_size() > 0, CONNX_STORAGE_OTHER);
  if (tensor.has_segment()) return CONNX_STORAGE_OTHER;
  // An empty raw field beside another form is what some writers leave behind.
  if (forms == 2 && places.raw.lengthSize != 0 && places.raw.length == 0) return storage;
  return forms > 1 ? CONNX_STORAGE_OTHER : storage;
}

void setPayload(connx_tensor &tensor, const connx::Place &place) {
  tensor.has_payload = place.lengthSize != 0 ? 1 : 0;
  tensor.payload_offset = place.offset;
  tensor.payload_length = place.length;
}

const onnx::ValueInfoProto &valueAt(const connx_model &model, int32_t isOutput, std::size_t index) {
  const onnx::GraphProto &graph = model.proto.graph();
  return isOutput != 0 ? graph.output(static_cast<int>(index)) : graph.input(static_cast<int>(index));
}

}  // namespace

extern "C" {

connx_model *connx_model_parse(
    connx_reader reader, void *user_data, size_t length, char *message, size_t capacity) {
  try {
    auto model = std::make_unique<connx_model>();
    std::string skeleton;
    const connx::Reader read = [&](std::size_t offset, std::size_t count, std::uint8_t *target) {
      return reader(offset, count, target, user_data) != 0;
    };
    model->places = std::make_shared<const connx::Places>(connx::locate(read, length, skeleton));
    if (!model->proto.ParseFromArray(skeleton.data(), static_cast<int>(skeleton.size()))) {
      throw connx::FormatError("its fields do not have the types of an ONNX model");
    }
    std::string().swap(skeleton);
    collectGraphs(*model);
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
  info.functions = proto.functions_size();
  info.graphs = model->graphs.size();
  info.nodes = model->nodes.size();
  info.inputs = graph.input_size();
  info.outputs = graph.output_size();
  info.tensors = model->tensors.size();
  info.sparse_initializers = graph.sparse_initializer_size();
  info.metadata = proto.metadata_props_size();
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

connx_graph connx_graph_at(const connx_model *model, size_t index) {
  const GraphReference &graph = model->graphs[index];
  return {graph.firstNode,
          static_cast<size_t>(graph.proto->node_size()),
          graph.firstTensor,
          static_cast<size_t>(graph.proto->initializer_size()),
          static_cast<size_t>(graph.proto->output_size())};
}

connx_string connx_graph_output(const connx_model *model, size_t index, size_t output) {
  return view(model->graphs[index].proto->output(static_cast<int>(output)).name());
}

connx_node connx_node_at(const connx_model *model, size_t index) {
  const auto &node = *model->nodes[index].proto;
  return {view(node.op_type()),
          view(node.domain()),
          view(node.name()),
          static_cast<size_t>(node.input_size()),
          static_cast<size_t>(node.output_size()),
          static_cast<size_t>(node.attribute_size())};
}

connx_string connx_node_input(const connx_model *model, size_t node, size_t input) {
  return view(model->nodes[node].proto->input(static_cast<int>(input)));
}

connx_string connx_node_output(const connx_model *model, size_t node, size_t output) {
  return view(model->nodes[node].proto->output(static_cast<int>(output)));
}

connx_attribute connx_attribute_at(const connx_model *model, size_t node, size_t index) {
  const auto &attribute = model->nodes[node].proto->attribute(static_cast<int>(index));
  const auto &places = model->nodes[node].places->attributes[index];
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
  result.tensor = places.tensor < 0
                      ? -1
                      : places.tensor + static_cast<int64_t>(model->firstAttributeTensor);
  result.graph = places.graph;
  result.has_f = places.floatOffset != 0 ? 1 : 0;
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

int64_t connx_dimension_at(
    const connx_model *model, int32_t is_output, size_t index, size_t axis) {
  const auto &dimension = valueAt(*model, is_output, index)
                              .type()
                              .tensor_type()
                              .shape()
                              .dim(static_cast<int>(axis));
  return dimension.has_dim_value() ? dimension.dim_value() : -1;
}

connx_tensor connx_tensor_at(const connx_model *model, size_t index) {
  const onnx::TensorProto &tensor = *model->tensors[index].proto;
  const connx::TensorPlaces &places = *model->tensors[index].places;
  connx_tensor result{};
  result.name = view(tensor.name());
  result.data_type = tensor.data_type();
  result.dims = tensor.dims().data();
  result.rank = tensor.dims_size();
  result.storage = storageOf(tensor, places);
  switch (result.storage) {
    case CONNX_STORAGE_RAW:
      setPayload(result, places.raw);
      break;
    case CONNX_STORAGE_FLOATS:
      setPayload(result, places.floats);
      break;
    case CONNX_STORAGE_INT32:
      setPayload(result, places.int32s);
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
      break;
    default:
      break;
  }
  return result;
}

}  // extern "C"
