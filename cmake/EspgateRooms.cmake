# SPDX-License-Identifier: Apache-2.0
# Compiler settings shared by every room, and the three functions that rooms and tests are declared with.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

include(EspgateHardening)

option(ESPGATE_FUZZERS "Build the libFuzzer targets (needs clang)" OFF)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(fmt REQUIRED)
pkg_check_modules(MNL REQUIRED IMPORTED_TARGET libmnl)
pkg_check_modules(BPF REQUIRED IMPORTED_TARGET libbpf>=1.3)
pkg_check_modules(XDP REQUIRED IMPORTED_TARGET libxdp>=1.3)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)

enable_testing()
find_package(GTest REQUIRED)
include(GoogleTest)

add_library(espgate_options INTERFACE)
target_compile_options(espgate_options INTERFACE -Wall -Wextra -Werror -Wshadow -Wconversion -Wno-sign-conversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
  # libstdc++ 12's own std::stable_sort calls what it has deprecated, and libbpf's option macros leave fields to be
  # zeroed: clang says both at our call.
  target_compile_options(espgate_options INTERFACE -Wno-deprecated-declarations -Wno-missing-designated-field-initializers)
endif()
target_include_directories(espgate_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
target_compile_definitions(espgate_options INTERFACE ESPGATE_VERSION="${PROJECT_VERSION}")

# espgate_room(NAME SOURCES file... DEPS target...): one static library a room, linked to just the rooms listed.
function(espgate_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(espgate_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(espgate_${name} PUBLIC espgate_options ${ARG_DEPS})
endfunction()

# espgate_test(NAME LABEL label SOURCES file... DEPS target...): a GoogleTest program, one ctest entry.
# LABEL is one of: unit layers sim bpf lab interop fuzz resume soak.
function(espgate_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE espgate_options ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()

# espgate_fuzzer(NAME SOURCES file... DEPS target... CORPUS dir): a libFuzzer target under clang; everywhere else a
# program that replays the corpus in the tree, so that tools/test runs it.
function(espgate_fuzzer name)
  cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE espgate_options ${ARG_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  if(ESPGATE_FUZZERS)
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME ${name} COMMAND ${name} -runs=0 ${ARG_CORPUS} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  else()
    target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME ${name} COMMAND ${name} ${ARG_CORPUS} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  endif()
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()
