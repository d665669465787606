# The protocol that docs/protocols.md adds, built as it stands there, and its talk played; its sniffer is offered random bytes.
set(walkthrough ${PROJECT_BINARY_DIR}/walkthrough)
set(sources ${walkthrough}/src/protocols/all.cc ${walkthrough}/src/protocols/beanstalk/beanstalk.cc)
add_custom_command(OUTPUT ${sources} COMMAND ${PROJECT_SOURCE_DIR}/tools/walkthrough ${walkthrough}
    DEPENDS ${PROJECT_SOURCE_DIR}/docs/protocols.md ${PROJECT_SOURCE_DIR}/src/protocols/all.cc ${PROJECT_SOURCE_DIR}/tools/walkthrough)
add_executable(walkthrough_test ${sources} ${PROJECT_SOURCE_DIR}/src/protocols/talk_test.cc)
target_include_directories(walkthrough_test BEFORE PRIVATE ${walkthrough}/src)
target_link_libraries(walkthrough_test PRIVATE waggle_protocols waggle_test_options GTest::gmock GTest::gtest_main)
target_compile_definitions(walkthrough_test PRIVATE WAGGLE_SOURCE_DIR="${walkthrough}")
waggle_precompiled(walkthrough_test waggle_test_pch)
add_test(NAME unit.walkthrough COMMAND walkthrough_test --gtest_filter=-Talks.*)
set_tests_properties(unit.walkthrough PROPERTIES LABELS unit TIMEOUT 300)
