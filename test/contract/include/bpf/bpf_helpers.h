/* Stand-in for libbpf's header, so that maps/*.h compile for the host: only what they use. */
#define SEC(name)
#define __weak
#define __uint(name, value) int (*name)[value]
#define __type(name, value) value *name
#define __array(name, value) __typeof__(value) *name[]
