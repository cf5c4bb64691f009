#include "connx_builder.h"

#include "classes.h"

#include <charconv>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "fields.h"

#include "../../include/cleanclip/version.h"

namespace {

/// An initializer without its payload, which stays where the caller has it.
struct Initializer {
  onnx::TensorProto header;
  const void *payload;
  size_t length;
};

constexpr uint32_t modelGraph = 7;  // ModelProto.graph

/// The bytes of an initializer field in front of its payload.
std::string field_prefix(const Initializer &initializer) {
  return connx::initializerPrefix(
      initializer.header,
      initializer.payload ? std::optional<uint64_t>(initializer.length) : std::nullopt);
}

}  // namespace

struct connx_builder {
  onnx::ModelProto model;
  onnx::GraphProto graph;
  std::vector<Initializer> initializers;
};

namespace {

/// Runs `body`, which may throw when memory runs out.
template <typename Body>
int32_t guarded(Body body) {
  try {
    body();
    return 1;
  } catch (...) {
    return 0;
  }
}

onnx::AttributeProto *add_attribute(
    connx_builder *builder, const char *name, onnx::AttributeProto::AttributeType type) {
  auto *node = builder->graph.mutable_node(builder->graph.node_size() - 1);
  auto *attribute = node->add_attribute();
  attribute->set_name(name);
  attribute->set_type(type);
  return attribute;
}

}  // namespace

connx_builder *connx_builder_create(int64_t ir_version, int64_t opset) {
  try {
    auto *builder = new connx_builder;
    builder->model.set_ir_version(ir_version);
    builder->model.set_producer_name("cleanclip");
    builder->model.set_producer_version(CLEANCLIP_VERSION_STRING);
    builder->model.add_opset_import()->set_version(opset);
    builder->graph.set_name("clip");
    return builder;
  } catch (...) {
    return nullptr;
  }
}

void connx_builder_free(connx_builder *builder) { delete builder; }

int32_t connx_builder_value(
    connx_builder *builder, int32_t is_output, const char *name, int32_t element_type,
    const char *const *dimensions, size_t rank) {
  return guarded([&] {
    auto *value = is_output ? builder->graph.add_output() : builder->graph.add_input();
    value->set_name(name);
    auto *type = value->mutable_type()->mutable_tensor_type();
    type->set_elem_type(element_type);
    auto *shape = type->mutable_shape();
    for (size_t axis = 0; axis < rank; axis++) {
      const char *text = dimensions[axis];
      const char *end = text + std::strlen(text);
      int64_t size = 0;
      auto *dimension = shape->add_dim();
      if (std::from_chars(text, end, size).ptr == end) {
        dimension->set_dim_value(size);
      } else {
        dimension->set_dim_param(text);
      }
    }
  });
}

int32_t connx_builder_node(
    connx_builder *builder, const char *type, const char *name, const char *const *inputs,
    size_t input_count, const char *output) {
  return guarded([&] {
    auto *node = builder->graph.add_node();
    node->set_op_type(type);
    node->set_name(name);
    for (size_t index = 0; index < input_count; index++) node->add_input(inputs[index]);
    node->add_output(output);
  });
}

int32_t connx_builder_node_output(connx_builder *builder, const char *output) {
  return guarded([&] {
    builder->graph.mutable_node(builder->graph.node_size() - 1)->add_output(output);
  });
}

int32_t connx_builder_int(connx_builder *builder, const char *name, int64_t value) {
  return guarded([&] {
    add_attribute(builder, name, onnx::AttributeProto::INT)->set_i(value);
  });
}

int32_t connx_builder_float(connx_builder *builder, const char *name, float value) {
  return guarded([&] {
    add_attribute(builder, name, onnx::AttributeProto::FLOAT)->set_f(value);
  });
}

int32_t connx_builder_ints(
    connx_builder *builder, const char *name, const int64_t *values, size_t count) {
  return guarded([&] {
    auto *attribute = add_attribute(builder, name, onnx::AttributeProto::INTS);
    for (size_t index = 0; index < count; index++) attribute->add_ints(values[index]);
  });
}

int32_t connx_builder_initializer(
    connx_builder *builder, const char *name, int32_t element_type, const int64_t *dimensions,
    size_t rank, const void *payload, size_t length, const char *location, uint64_t offset) {
  return guarded([&] {
    Initializer initializer{{}, location ? nullptr : payload, length};
    auto &header = initializer.header;
    header.set_name(name);
    header.set_data_type(element_type);
    for (size_t axis = 0; axis < rank; axis++) header.add_dims(dimensions[axis]);
    if (location) {
      header.set_data_location(onnx::TensorProto::EXTERNAL);
      const std::pair<const char *, std::string> entries[] = {
          {"location", location},
          {"offset", std::to_string(offset)},
          {"length", std::to_string(length)}};
      for (const auto &[key, text] : entries) {
        auto *entry = header.add_external_data();
        entry->set_key(key);
        entry->set_value(text);
      }
    }
    builder->initializers.push_back(std::move(initializer));
  });
}

int32_t connx_builder_metadata(connx_builder *builder, const char *key, const char *value) {
  return guarded([&] {
    auto *entry = builder->model.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  });
}

int32_t connx_builder_write(connx_builder *builder, connx_sink sink, void *user_data) {
  try {
    const std::string graph = builder->graph.SerializeAsString();
    std::vector<std::string> prefixes;
    uint64_t length = graph.size();
    for (const auto &initializer : builder->initializers) {
      prefixes.push_back(field_prefix(initializer));
      length += prefixes.back().size() + (initializer.payload ? initializer.length : 0);
    }
    std::string head = builder->model.SerializeAsString();
    connx::appendHeader(head, modelGraph, length);
    head += graph;
    if (length + head.size() > static_cast<uint64_t>(std::numeric_limits<int32_t>::max())) return -1;

    if (!sink(head.data(), head.size(), user_data)) return 0;
    for (size_t index = 0; index < prefixes.size(); index++) {
      const auto &initializer = builder->initializers[index];
      if (!sink(prefixes[index].data(), prefixes[index].size(), user_data)) return 0;
      if (initializer.payload && !sink(initializer.payload, initializer.length, user_data)) return 0;
    }
    return 1;
  } catch (...) {
    return 0;
  }
}
