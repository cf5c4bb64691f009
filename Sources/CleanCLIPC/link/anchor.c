// Carries the linker flags of the dynamic product; see Package.swift.
