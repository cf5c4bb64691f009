internal import ArgumentParser

DrawScenes.main()
