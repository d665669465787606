# waggle_bpf(folder/x): compiles bpf/<folder>/x.bpf.c, strips it and generates the libbpf skeleton
# x.skel.h beside a header x.bpf.h that names only the object's bytes. Both land in build/…/bpf.
find_program(BPF_CLANG NAMES clang-19 REQUIRED)
find_program(BPF_STRIP NAMES llvm-strip-19 REQUIRED)
find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin REQUIRED)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(WAGGLE_BPF_ARCH arm64)
else()
    set(WAGGLE_BPF_ARCH x86)
endif()

add_library(waggle_bpf_objects INTERFACE)
target_include_directories(waggle_bpf_objects INTERFACE ${PROJECT_BINARY_DIR}/bpf)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/bpf/arm64)

# One object from one source, for a processor.
function(waggle_bpf_object source object arch)
    set(launcher "")
    if(CCACHE)  # the builds beside each other compile the same objects
        set(launcher ${CCACHE})
    endif()
    add_custom_command(
        OUTPUT ${object}
        COMMAND ${launcher} ${BPF_CLANG} -target bpf -mcpu=v3 -std=gnu23 -O2 -g -Wall -Wextra -Werror
                -Wno-unused-parameter -Wno-address-of-packed-member
                -D__TARGET_ARCH_${arch} -I${PROJECT_SOURCE_DIR} -idirafter ${CMAKE_SYSROOT}/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
                -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
        COMMAND ${BPF_STRIP} -g ${object}
        DEPENDS ${source} DEPFILE ${object}.d
        COMMENT "BPF ${object}")
endfunction()

function(waggle_bpf path)
    get_filename_component(name ${path} NAME)
    set(source ${PROJECT_SOURCE_DIR}/bpf/${path}.bpf.c)
    set(object ${PROJECT_BINARY_DIR}/bpf/${name}.bpf.o)
    set(skeleton ${PROJECT_BINARY_DIR}/bpf/${name}.skel.h)
    string(REPLACE "." "_" identifier ${name})
    waggle_bpf_object(${source} ${object} ${WAGGLE_BPF_ARCH})
    add_custom_command(
        OUTPUT ${skeleton}
        COMMAND ${CMAKE_COMMAND} -DBPFTOOL=${BPFTOOL} -DNAME=${identifier} -DOBJECT=${object}
                -DSKELETON=${skeleton} -DHEADER=${PROJECT_BINARY_DIR}/bpf/${name}.bpf.h
                -P ${PROJECT_SOURCE_DIR}/cmake/BpfHeader.cmake
        DEPENDS ${object} ${PROJECT_SOURCE_DIR}/cmake/BpfHeader.cmake VERBATIM)
    add_custom_target(bpf_${identifier} DEPENDS ${skeleton})
    add_dependencies(waggle_bpf_objects bpf_${identifier})
    # The other processor's, so that what is wrong there shows here; tests relocate them.
    if(WAGGLE_TESTS AND WAGGLE_BPF_ARCH STREQUAL "x86")
        set(other ${PROJECT_BINARY_DIR}/bpf/arm64/${name}.bpf.o)
        waggle_bpf_object(${source} ${other} arm64)
        add_custom_target(bpf_${identifier}_arm64 ALL DEPENDS ${other})
    endif()
endfunction()
