/* test/unit/ingest/certificates.h - certificates of nobody, with the private halves of two, that tests sign with. */
#ifndef TEST_INGEST_CERTIFICATES_H
#define TEST_INGEST_CERTIFICATES_H

#define TEST_KEY                                                                                                       \
    "-----BEGIN PRIVATE KEY-----\n"                                                                                    \
    "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCy8kwq36zpk+5a\n"                                               \
    "HEwHay+LWBFya55Suaex0Z7S2C5s6aeWXXk1F/oThVcfUMvNPOrhgf5RXiA3x6TM\n"                                               \
    "fCyoLD0oqEbYeKX9AX6wwi9tfBjvgTqmDs5usjCQP1VQ7JhNSPt/TLGVcZZIaLXt\n"                                               \
    "ONtreBaxUYmLj44X369wvBtzUO16Bs5e0pnwpAvlAvZfviwQ49YnT1CHOiF/aVpQ\n"                                               \
    "eZ1O/0Y3CEIt7kqVUvXsCRElE85Byg6OGdsA9B89+JVxKMIHvPpzgs0xCvqAJdC/\n"                                               \
    "m87Dkz3l8mVqbQm9kFn/hlYriT8/+2ydMl0IFLDHogxF2E+TQX4tK8OZ9WIKr48f\n"                                               \
    "nzIH491RAgMBAAECggEAR1v9SMmaxCi0T6XiIcE6G/i6OGU3JSkY+P2tNspztQX2\n"                                               \
    "SS2sVKJjnN47EGdhZk5pIhV7K8p70ZKhItRP4J6Howt7+P4fv0WV1noRfLkUnonr\n"                                               \
    "r+XOp3ESkatX4+X9lDBK7ohQdtZthiGPjvJx+ajRb9OipI9SLC4M4cl5ruIyWUrq\n"                                               \
    "mEuMsJINfEiApHYdbVpcja81i0DdeQRC+MqE0zQRtkGLAIc94YcerSAWVWaNf830\n"                                               \
    "HlbYhEH3koiHZdOafkqPTYg5LjM7mPbHo+5dhdg+1ijyZgIgpPFVnxKNW8mto1yO\n"                                               \
    "H71IDbc6+AwAjkEN7JJW0vpJzfivxCxfSmIvAIXlawKBgQDxVVusyRtlsoj3lYGo\n"                                               \
    "qQO47ruaSYrp3j72+pI9+rURJd3riSIrBqIlAW/sGhagpGupix+krMU9g9Vjpf7l\n"                                               \
    "QbvgcarvvWvDDgVbUwvuKGMzI6C/jYk2/IAkbpLDnbXsmGjTkfcL34YFXWA5LWnv\n"                                               \
    "n0ZPIGhyfo8ELylKm4Um+iKzvwKBgQC90lRLa4lam2fmGxDwb0crHY24Ppdm+2i3\n"                                               \
    "f3EOeGRkNaLok3yBqVCWknX28g0A9qKqOT/mEEuzo6zqLOSdcRn4rVtgiRgwF6Wq\n"                                               \
    "mgcWvSafNKJi9w2sRt1qBZ0qzoY2rGPfn1DZei4l4+DLYQT9BvoY9nyng+wx75qW\n"                                               \
    "tlkQQ01y7wKBgAiTiPt99hxKGPX7eS0ePISg70fPX0FqZYBvbS0IsNCYMOfC6tTu\n"                                               \
    "mmqIP4r7blxtG2peCFTY0vWZrsaoyoMpL90NDQ8SAzdeUzBoph7jjorttDO6eura\n"                                               \
    "VE93In4TJ7jtvaPvJwFkAyZDqDy/8WjTlzMOqseO2dRDPMtq9XNqJjuPAoGAYjhO\n"                                               \
    "A8R+CxM0vL0uk6qQwb+GEFrazp+yPJjF8D3dfHjAdeWy3Ai3OWJJheETV3dHDhuX\n"                                               \
    "c7zk3uwHUhiupsTaMnHJQXdOu7vQrikLF/oB3QlIKTs6qPT2JqEHBRpeGjYza4et\n"                                               \
    "NwrgjByQucvW3/JXQMlyEN/TPLeFXwy1oxOgJKMCgYBxmxIL7mv5olNzshiO/PY6\n"                                               \
    "455t/iehOM0ApMtgqqGzI3iQyYpYdgfh9Z9EjlnLxsVxO9bouH3H09VhCV494QTj\n"                                               \
    "q5Lz8RH3YzL13tYJ9j4dw2rqRFb6GCnY/gEtw3YLOpxhttoVp8CPcWKWP1V2GniE\n"                                               \
    "OfnNtlsKmBURzWUXrG9gJQ==\n"                                                                                       \
    "-----END PRIVATE KEY-----\n"
#define TEST_CERTIFICATE                                                                                               \
    "-----BEGIN CERTIFICATE-----\n"                                                                                    \
    "MIIDCTCCAfGgAwIBAgIUMTRNS79XnXX6M4JgoS0xRSLB4eAwDQYJKoZIhvcNAQEL\n"                                               \
    "BQAwEzERMA8GA1UEAwwIc25zLnRlc3QwIBcNMjYxMTI4MTQ0ODMwWhgPMjEyNjEx\n"                                               \
    "MDQxNDQ4MzBaMBMxETAPBgNVBAMMCHNucy50ZXN0MIIBIjANBgkqhkiG9w0BAQEF\n"                                               \
    "AAOCAQ8AMIIBCgKCAQEAsvJMKt+s6ZPuWhxMB2svi1gRcmueUrmnsdGe0tgubOmn\n"                                               \
    "ll15NRf6E4VXH1DLzTzq4YH+UV4gN8ekzHwsqCw9KKhG2Hil/QF+sMIvbXwY74E6\n"                                               \
    "pg7ObrIwkD9VUOyYTUj7f0yxlXGWSGi17Tjba3gWsVGJi4+OF9+vcLwbc1DtegbO\n"                                               \
    "XtKZ8KQL5QL2X74sEOPWJ09Qhzohf2laUHmdTv9GNwhCLe5KlVL17AkRJRPOQcoO\n"                                               \
    "jhnbAPQfPfiVcSjCB7z6c4LNMQr6gCXQv5vOw5M95fJlam0JvZBZ/4ZWK4k/P/ts\n"                                               \
    "nTJdCBSwx6IMRdhPk0F+LSvDmfViCq+PH58yB+PdUQIDAQABo1MwUTAdBgNVHQ4E\n"                                               \
    "FgQU4FlwMMDlKHkKJN+kSj4Ym/AB9jQwHwYDVR0jBBgwFoAU4FlwMMDlKHkKJN+k\n"                                               \
    "Sj4Ym/AB9jQwDwYDVR0TAQH/BAUwAwEB/zANBgkqhkiG9w0BAQsFAAOCAQEAfsjc\n"                                               \
    "wv0aYC7g7BwhrBVcGjkvOQnPkfwDZx+CFmQ+/tGqlXhel6gRVvL69o1Argv5BNaj\n"                                               \
    "ce6nuhVApFFfGdGSLEg9Alo+FH+KKwci2u14GYlc/cYbd8ahdgMLvfIMGpVHHckN\n"                                               \
    "fYVtyONpYnnDuBq9+bp4kbwNyTb4uAxlWj2wvmqWEv37cFgtzoHVnHxkqvnGj91Y\n"                                               \
    "c5Fo81sXcKN6UiNHQsJn4BKW6c9HLpy1gf23OVwFEdIC69+U9wbUkf1LS0/YzgXd\n"                                               \
    "qgSkBIurYf/bz5iW/NOA4J33+BSf6JEpaUUkHKHAc80kIJDl4szRnf5YLOAvPkfo\n"                                               \
    "z1GuVAO4LPl3l0/hgg==\n"                                                                                           \
    "-----END CERTIFICATE-----\n"
#define OTHER_CERTIFICATE                                                                                              \
    "-----BEGIN CERTIFICATE-----\n"                                                                                    \
    "MIIDCzCCAfOgAwIBAgIULf3LQ+jt6waKMQRPvzj2U6VG0ZkwDQYJKoZIhvcNAQEL\n"                                               \
    "BQAwFDESMBAGA1UEAwwJc25zLm90aGVyMCAXDTI2MTEyODE0NDgzMVoYDzIxMjYx\n"                                               \
    "MTA0MTQ0ODMxWjAUMRIwEAYDVQQDDAlzbnMub3RoZXIwggEiMA0GCSqGSIb3DQEB\n"                                               \
    "AQUAA4IBDwAwggEKAoIBAQDjNmfH2HxCqUA4wPrH59OKgtcbFbxwNXrwN64i5aRw\n"                                               \
    "dFj/hCVUYzhFzw6PixKXhPUsT9ek0bKE+DPLy78+sGy8eap56ViFMtu96vu/x5sU\n"                                               \
    "2hDSYwcux+f3d44CtZcbkpKp4870HeoUw/M2TFyLjfDD7V00GFDa6GU8sFFllF+p\n"                                               \
    "1VYodEW9u28ldGuFadzsn4zfQslngQwAhyFOt540Gbq2oGdBCdPRS9WiU418uySC\n"                                               \
    "9Z/j/lrGHcqdiRihoRuzIM8Oc7OINnL2c5nZD9xc1UfY4CaCoGGgj9BQivLg2amE\n"                                               \
    "T90rW5WCPGCYwiBUhQrJpqdJcvxWxRAr/p/kKh2OCwQxAgMBAAGjUzBRMB0GA1Ud\n"                                               \
    "DgQWBBQrNOtSDJC5UksOFicwawXFHuCFszAfBgNVHSMEGDAWgBQrNOtSDJC5UksO\n"                                               \
    "FicwawXFHuCFszAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA4IBAQC6\n"                                               \
    "3VdI1EKuWmZ3OhUoJBNWq3WnFxNUAdL5hMmQBdlUIzosFQOZsOWiNS56xVun64hH\n"                                               \
    "R8bDWQj3rxybICYvYrVbRVgU68Cf4RVRrFInA1hwN4zQsM44Ld/QW23hE6PDcCCL\n"                                               \
    "k2hf1aDBr5BnKpskGYIid/47s8FVcWOZXN8j/Zb0CRWSeSe7oSiiDRJdEbUlz48N\n"                                               \
    "exMq80HmdG0TSBN1UXTbhtZE56kIdrVMZUMqmud0w2AISg74CUX1DhAR3F83MpUu\n"                                               \
    "3LGwpDtdFec7xBX1RmDvg0BzrysMeMGl9G3s/x4nZyn52sgnzTlFLfwqzgA7dAyS\n"                                               \
    "hDF1s6x3T6DHKHNrwXRp\n"                                                                                           \
    "-----END CERTIFICATE-----\n"
#define SHORT_CERTIFICATE                                                                                              \
    "-----BEGIN CERTIFICATE-----\n"                                                                                    \
    "MIIB/jCCAWegAwIBAgIUdGC3YYJtyqgW7DIDgtuxQfUAQEwwDQYJKoZIhvcNAQEL\n"                                               \
    "BQAwEDEOMAwGA1UEAwwFc2hvcnQwIBcNMjYxMTI4MTQ0ODMwWhgPMjEyNjExMDQx\n"                                               \
    "NDQ4MzBaMBAxDjAMBgNVBAMMBXNob3J0MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB\n"                                               \
    "iQKBgQC2jHWY/M72z9rK0ZGhoMY5dHiTEAplvuFsaax/cO9D7pJuMXrB/cGW98Ci\n"                                               \
    "i3fwwvax6e5TMvjmMhegmKTjQ8Mf/IZrOEVfryrSDxgy5t6GrDoGLSDMHlmnQO5S\n"                                               \
    "V6oB1etMkGQCi8K2PzPSTjZH8cHKIIP9hiMEvMgjzZGe2R2DKQIDAQABo1MwUTAd\n"                                               \
    "BgNVHQ4EFgQUD/daphUEnXVg42TH2SswJbAtL0QwHwYDVR0jBBgwFoAUD/daphUE\n"                                               \
    "nXVg42TH2SswJbAtL0QwDwYDVR0TAQH/BAUwAwEB/zANBgkqhkiG9w0BAQsFAAOB\n"                                               \
    "gQBE4Q7McyFsM4R97UCjtqUBG5ykbsk9pnZ7B6VxKY8Cr/vNcK/A3wkcH7ACJF9t\n"                                               \
    "94s+hvO1hIqOJSOr24dNRGWbzirjRQt1sIY3xs5SJxYLEHEn3tZgyxMzqa5xNjWl\n"                                               \
    "yoe7BcvDNT9btALgTJy15QI6SgYXDrrLh2rlRDIl0cOsSg==\n"                                                               \
    "-----END CERTIFICATE-----\n"
#define CURVE_CERTIFICATE                                                                                              \
    "-----BEGIN CERTIFICATE-----\n"                                                                                    \
    "MIIBcDCCARegAwIBAgIUElnl4cHNuDl+JFmLik39gtCIXbAwCgYIKoZIzj0EAwIw\n"                                               \
    "DTELMAkGA1UEAwwCZWMwIBcNMjYxMTI4MTQ0ODMwWhgPMjEyNjExMDQxNDQ4MzBa\n"                                               \
    "MA0xCzAJBgNVBAMMAmVjMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEdK0Khr+y\n"                                               \
    "qaUCVWk3CVSFQ5UCHYuej3B+I3e09RgW71ViSfnjACPP79d344cgX+JSvtm9DnT+\n"                                               \
    "DPdouOH5bLqkz6NTMFEwHQYDVR0OBBYEFFO4V6lfgSwUvcZ3mWkxfWzbYufGMB8G\n"                                               \
    "A1UdIwQYMBaAFFO4V6lfgSwUvcZ3mWkxfWzbYufGMA8GA1UdEwEB/wQFMAMBAf8w\n"                                               \
    "CgYIKoZIzj0EAwIDRwAwRAIgPVLBSbRL2DpNV/sRLzuoYE/XcUJqtr5meN/DKh15\n"                                               \
    "vhcCIHwBzhAepeumShWveKIHaBtBqyPOWTWZueO0IYmTSpTZ\n"                                                               \
    "-----END CERTIFICATE-----\n"

#endif
