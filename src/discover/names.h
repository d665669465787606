// SPDX-License-Identifier: Apache-2.0
// Small judgements about names: which say nothing ("main.py", "/app"), and what to take instead.
#pragma once

#include <string>
#include <string_view>

namespace waggle::discover {

// "app", "server", "main" … say nothing about a program.
bool is_generic_name(std::string_view name);

// The nearest directory, from path upward, whose name says something; empty when there is none.
std::string telling_directory(std::string_view path);

// Absolute, seen from the working directory. Resolves "." and "..".
std::string absolute_path(std::string_view path, std::string_view cwd);
std::string_view directory_of(std::string_view path);

// "app.py" → "app". Only endings that programs have.
std::string_view without_extension(std::string_view file);

// "shop-1.2.3-SNAPSHOT.jar" → "shop".
std::string jar_name(std::string_view file);

// "shop.main:app" → "shop"; "main:app" → "main", which is generic.
std::string module_name(std::string_view reference);

// The last telling segment of a Go package path: github.com/acme/shop/cmd/server → shop.
std::string go_package_name(std::string_view path);

// The string member "name" of a JSON object's top level; empty when there is none.
std::string json_name(std::string_view json);

}  // namespace waggle::discover
