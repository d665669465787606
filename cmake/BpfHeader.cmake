# From one BPF object: its libbpf skeleton, and x.bpf.h, which names only the object's bytes.
execute_process(COMMAND ${BPFTOOL} gen skeleton ${OBJECT} name ${NAME}_bpf
    OUTPUT_FILE ${SKELETON} ERROR_VARIABLE messages RESULT_VARIABLE failed)
if(failed)
    message(FATAL_ERROR "bpftool: ${messages}")
endif()
file(WRITE ${HEADER} "#pragma once\n#include <cstddef>\nnamespace waggle::bpf { const void* ${NAME}(std::size_t* size); }\n")
