# SPDX-License-Identifier: Apache-2.0
# What every program that people run is compiled and linked with, however the build is configured (preset, package). The
# test `hardening` reads it back from the programs. Debug builds have the sanitizers instead, which do not go with it.
if(CMAKE_BUILD_TYPE STREQUAL Debug)
  return()
endif()

add_compile_options(
  -fstack-protector-strong         # a canary in every function with something to overrun
  -fstack-clash-protection         # a large frame touches each of its pages: no jump over the guard page
  -fcf-protection=full             # CET: indirect branches land on endbr64, returns agree with the shadow stack
  -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3  # glibc's calls know the size of what they write to, also where it is computed
  -D_GLIBCXX_ASSERTIONS            # operator[], front(), optional's * and the like end the process instead of going astray
)
add_link_options(
  -pie                             # with CMAKE_POSITION_INDEPENDENT_CODE: another address at each start
  -Wl,-z,relro,-z,now              # all symbols bound at the start, then what they were bound in is read-only
  # The startup files of Debian's C library do not say that they go with CET, so the linker would not say it of the whole:
  # they go with the shadow stack, but have no endbr64 at the entry, which is what -z ibt would promise.
  -Wl,-z,shstk
  -Wl,-z,noexecstack,-z,separate-code)
