/* Beginnings of options: the size, and 0 for all else. */
#define PP_FABRIC_OPTIONS_INIT {sizeof(pp_fabric_options_t), 0, 0}

/* Lengths of time for timeouts: 5 * PP_SECOND. */
#define PP_MILLISECOND ((int64_t)1000000)
#define PP_SECOND ((int64_t)1000000000)

/* pp_fabric_open_abi with the ABI of this header. */
static inline int32_t pp_fabric_open(const char *name, int32_t how, const pp_fabric_options_t *options, pp_fabric_t **fabric, pp_error_t **error)
{
    return pp_fabric_open_abi(PP_ABI, name, how, options, fabric, error);
}
