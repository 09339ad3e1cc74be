# find_package(polyproc) gives polyproc::polyproc: the headers for C and C++17, and the shared library.
# polyproc::static is the same with the static library.
get_filename_component(_polyproc_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

if(NOT TARGET polyproc::polyproc)
  add_library(polyproc::polyproc SHARED IMPORTED)
  set_target_properties(polyproc::polyproc PROPERTIES
    IMPORTED_LOCATION "${_polyproc_prefix}/lib/libpolyproc.so"
    INTERFACE_INCLUDE_DIRECTORIES "${_polyproc_prefix}/include")

  find_package(Threads REQUIRED)
  add_library(polyproc::static STATIC IMPORTED)
  set_target_properties(polyproc::static PROPERTIES
    IMPORTED_LOCATION "${_polyproc_prefix}/lib/libpolyproc.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_polyproc_prefix}/include"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS};m;rt;gcc_s")

  # A project without C++ has only polyproc.h, which asks for nothing.
  if(CMAKE_CXX_COMPILER_LOADED)
    set_property(TARGET polyproc::polyproc polyproc::static APPEND PROPERTY
      INTERFACE_COMPILE_FEATURES cxx_std_17)
  endif()
endif()

unset(_polyproc_prefix)
