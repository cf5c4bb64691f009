public import CCleanCLIP
