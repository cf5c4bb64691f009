// The classes of ONNX messages, which scripts/onnx-classes.sh generates.
#ifndef CONNX_CLASSES_H
#define CONNX_CLASSES_H

#if !__has_include("generated/onnx-classes.pb.h")
#error "the classes of ONNX messages are missing: run scripts/setup.sh, or 'make build'"
#endif

#include "generated/onnx-classes.pb.h"

namespace onnx = cleanclip::onnx;

#endif
